\set asked `cat`
WITH asked AS (
    SELECT json_array_elements_text((:'asked')::json -> 'ids') AS id
), counts AS (
    SELECT orders.id::text AS id, count(*) AS times FROM orders WHERE orders.id::text IN (SELECT id FROM asked) GROUP BY 1
)
SELECT json_build_object(
    'found', (SELECT coalesce(json_agg(id), '[]') FROM counts),
    'duplicates', (SELECT coalesce(json_object_agg(id, times), '{}') FROM counts WHERE times > 1),
    'strangers', (
        SELECT coalesce(json_agg(orders.id::text), '[]') FROM orders
        WHERE created_at >= ((:'asked')::json ->> 'since')::timestamptz AND orders.id::text NOT IN (SELECT id FROM asked)
    )
);

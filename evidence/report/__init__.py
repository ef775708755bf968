"""Reports of a judged run: text, HTML with figures, Markdown, JUnit, JSON. None of them judges anything."""

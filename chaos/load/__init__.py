"""Open-loop load on a staging: what is to be sent, the child that sends it, and what came of it.

`plan` says what to send, `schedule` turns it into intended send times, `target` refuses everything
that is not loopback, `run` starts, follows and stops the child that sends, `raw` holds one sample a
request and `rows` turns samples into the run record's client rows.

The child is `locustfile`, which sends everything itself, or `master`, which has `worker`s send a share each;
`messages` is what these two tell each other, `clock` how far their clocks are apart, `sender` what both kinds
of senders do.
"""

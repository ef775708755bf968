"""Open-loop load on a staging: what is to be sent, the child that sends it, and what came of it.

`plan` says what to send, `schedule` turns it into intended send times, `target` refuses everything
that is not loopback, `locustfile` sends (in a child process), `run` starts, follows and stops that
child, `raw` holds one sample a request and `rows` turns samples into the run record's client rows.
"""

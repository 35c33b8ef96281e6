"""Questions to the stores of telemetry, for people: never for routing. One named function per question.

`traces.py` and `logs.py` say what can be asked; each has two implementations, chosen by the address (`stores.py`).
"""

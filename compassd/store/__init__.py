"""What outlives the process: the state of incidents, and messages until they are delivered.

One SQLite file in the state directory. A killed process loses nothing that was committed. A power cut may
lose the last commits, as SQLite does not wait for the disk at each: messages of the last moments may then be
missing, and others sent again, with the same id.
"""

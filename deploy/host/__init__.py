"""What puts Intake on a server and keeps it there: ``python3 -m deploy.host``, as root.

==============  ===============================================================================
``machine``     the server: its folders, its users, whole files, systemd
``release``     what a server needs of a checkout, whole, under the name that its content has
``system``      the files that the system reads, and the services that read them
``switching``   which release is in force; the site is asked for its page, or the old one is back
``installing``  the whole way from a checkout to a site; again: what is right stays as it is
``onion``       the addresses, and a second onion, for the admin alone
``backup``      what cannot be made again, sealed under a passphrase
``restoring``   a backup put back, here or on a new server
``showing``     what is installed, and nothing that says when anyone came
==============  ===============================================================================

Beside them lie the files of the system: units, torrc, settings. They go to where ``machine`` says.

Rules:
- The system's own ``python3`` runs this, 3.11 or later, with nothing but its standard library.
- Nothing that holds data is removed or written over: what has to give way is moved aside, and where
  to is said.
- Every command may be stopped anywhere and run again; each module says what is left behind.
- One at a time: each that changes something holds the lock of ``machine``.
"""

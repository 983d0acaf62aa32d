"""The admins' tool, on the server: ``python -m intake.admin``.

One module for each noun; only ``__main__`` talks.

==================  ===========================================================================
``setup``           the data folder, the store and the bundle key
``install``         a keyring: verified, compared by a person, put in force
``chain``           which bundle and which return came last, and that nothing runs twice at once
``exporting``       rows to bundles
``acknowledging``   returns to deletions
``maintaining``     every night a fresh file for the store, which tells no order
``status``          one screen: green or red, and what to do next
``doctor``          what is wrong with this machine
``host``            the same for what a deployed site stands on
==================  ===========================================================================

Rules:
- Nothing here opens an envelope, and nothing here could: the imports are held to it.
- Every command may be stopped anywhere and run again; each module says what a crash leaves behind.
- A row is deleted only after two reviewers signed for its id and its hash.
"""

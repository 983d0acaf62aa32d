"""Between tor and the app: what a request passes before a page is made, and an answer after it.

==============  ===============================================================================
``worker``      how a connection is served, and what is refused; gunicorn runs it
``circuits``    who comes from tor: a client's socket, and what its circuit may do
``pouring``     a body moved by the kernel: no process that stays ever has it
``disposable``  each request with a body in a process of its own, which ends with the words
``answers``     answers of one length
``processes``   silence, no dump, no life without a parent
==============  ===============================================================================

``deploy/gunicorn_conf.py`` has the settings. What is here sees all words in the clear.
"""

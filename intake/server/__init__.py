"""Sources: the site. A form comes in, a sealed row is stored, a receipt goes out; and the way back.

Rules:
- What a source wrote lives in memory until it is sealed, and is in no log, error or file.
- No cookies, no JavaScript, no other request, no time finer than a day.
- Nothing here can open an envelope, and nothing here connects outward. ``mailbox`` alone opens
  something: replies, with the key that follows from the receipt that was just typed.
- ``site`` takes letters and loads nothing of the way back; ``returns`` adds it.

Letters: ``site`` routes · ``requests`` what comes in · ``fields`` the form as Flask-WTF shows it ·
``inforce`` whom to seal to · ``letterbox`` seal and store · ``answers`` what goes out ·
``decoys`` what is stored and means nothing

The way back: ``returns`` routes · ``typed`` a receipt · ``mailbox`` replies · ``slowly`` what takes
long · ``uploads`` files as they come in · ``spool`` one file on its way
"""

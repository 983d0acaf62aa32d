"""Sources: the site. A form comes in, a sealed row is stored, a receipt goes out.

Rules:
- What a source wrote lives in memory until it is sealed, and is in no log, error or file.
- No cookies, no JavaScript, no other request, no time finer than a day.
- Nothing here can open an envelope, and nothing here connects outward.

``site`` routes · ``requests`` what comes in · ``fields`` the form as Flask-WTF shows it ·
``letterbox`` seal and store · ``answers`` what goes out
"""

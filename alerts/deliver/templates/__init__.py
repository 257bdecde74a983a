"""What people read: the words of both languages, numbers, times, and how a message is made of them.

`words` holds every sentence in both languages side by side. `message` makes the subject and the
body, `short_form` the line of a text message, `page` the HTML of a mail.
"""

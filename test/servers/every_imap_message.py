# Fetches every message of an IMAP folder with Python's imaplib and prints them as JSON, each base64 with CRLF line ends.
# Arguments: host port user password folder, the folder as the server writes its name.
import base64, imaplib, json, sys
host, port, user, password, folder = sys.argv[1:]
imap = imaplib.IMAP4(host, int(port), timeout=60)
imap.login(user, password)
status, answer = imap.select('"%s"' % folder, readonly=True)
messages = []
if status == 'OK' and int(answer[0]) > 0:
    for part in imap.fetch('1:*', '(BODY.PEEK[])')[1]:
        if isinstance(part, tuple):
            messages.append(part[1])
subscribed = [line.decode() for line in imap.lsub()[1] if line]
print(json.dumps({
    'there': status == 'OK',
    'messages': [base64.b64encode(message).decode() for message in messages],
    'subscribed': subscribed,
}))
imap.logout()

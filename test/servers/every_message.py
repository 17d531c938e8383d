# Fetches every message of a mailbox with Python's poplib and prints them as JSON, each base64 with CRLF line ends.
# Arguments: host port tls user password; tls is none, starttls or implicit, and not verified: this is no popfetch.
import base64, json, poplib, ssl, sys
poplib._MAXLINE = 1 << 26
host, port, tls, user, password = sys.argv[1:]
context = ssl._create_unverified_context()
if tls == 'implicit':
    pop = poplib.POP3_SSL(host, int(port), timeout=60, context=context)
else:
    pop = poplib.POP3(host, int(port), timeout=60)
    if tls == 'starttls':
        pop.stls(context)
pop.user(user)
pop.pass_(password)
numbers = [line.split()[0].decode() for line in pop.list()[1]]
messages = [b''.join(line + b'\r\n' for line in pop.retr(number)[1]) for number in numbers]
print(json.dumps([base64.b64encode(message).decode() for message in messages]))
pop.quit()

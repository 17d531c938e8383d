// Fifteen getmailrc files.
import type { Style } from './style.ts'

const retriever = (more = ''): string =>
  `[retriever]\ntype = SimplePOP3Retriever\nserver = HOST\nport = PORT\nusername = alice\npassword = pw\n${more}`
const maildir = '[destination]\ntype = Maildir\npath = ~/Mail/\n'
const kept = (title: string, text: string, more: Partial<Style> = {}): Style => ({
  title,
  text,
  deletes: false,
  mail: 'Mail',
  ...more,
})
const deleted = (title: string, text: string, more: Partial<Style> = {}): Style => ({
  ...kept(title, text, more),
  deletes: true,
})

export const getmailStyles: readonly Style[] = [
  kept('the smallest', `${retriever()}\n${maildir}`),
  kept('options that keep', `${retriever()}\n${maildir}\n[options]\nread_all = false\ndelete = false\nverbose = 0\n`),
  deleted('delete = true', `${retriever()}\n${maildir}\n[options]\ndelete = true\nread_all = False\n`),
  deleted('delete: ON, with colons and capitals', `${retriever()}\n${maildir}\n[options]\nDELETE: ON\nRead_All: No\n`),
  kept('delete = 0', `${retriever()}\n${maildir}\n[options]\ndelete=0\nread_all=0\n`),
  kept('days to keep', `${retriever()}\n${maildir}\n[options]\ndelete_after = 30\nread_all = false\n`),
  kept(
    'comments of both kinds, and blank lines',
    `# getmail\n; by me\n\n${retriever('; no more\n')}\n\n# where\n${maildir}# the end\n[options]\n# delete = true\n;delete = true\nread_all = false`,
  ),
  kept(
    'no blanks around the signs',
    `[retriever]\ntype=SimplePOP3Retriever\nserver=HOST\nport=PORT\nusername=alice\npassword=pw\n[destination]\ntype=Maildir\npath=HOME/Mail/\n[options]\nread_all=false\n`,
  ),
  deleted(
    'all of it indented',
    `[retriever]\n  type = SimplePOP3Retriever\n  server = HOST\n  port = PORT\n  username = alice\n  password = pw\n\n[destination]\n  type = Maildir\n  path = ~/Mail/\n\n[options]\n  delete = yes\n  read_all = no\n`,
  ),
  kept('CRLF and a BOM', `\uFEFF${`${retriever()}${maildir}[options]\nread_all = false\n`.replaceAll('\n', '\r\n')}`),
  kept(
    'a password command over several lines',
    `[retriever]\ntype = SimplePOP3Retriever\nserver = HOST\nport = PORT\nusername = alice\npassword_command = ("/bin/echo",\n    "-n",\n    "pw")\n\n${maildir}`,
  ),
  kept('an mbox', `${retriever()}\n[destination]\ntype = Mboxrd\npath = ~/out\nlocktype = fcntl\n`, {
    mail: 'out',
    files: { out: '' },
  }),
  deleted(
    'a program with arguments',
    `${retriever()}\n[destination]\ntype = MDA_external\npath = /bin/sh\narguments = ("-c", "cat >> $HOME/out")\nunixfrom = false\nallow_root_commands = true\n\n[options]\ndelete = 1\nreceived = false\ndelivered_to = false\n`,
    { mail: 'out' },
  ),
  kept(
    'several destinations by name',
    `${retriever()}\n[destination]\ntype = MultiDestination\ndestinations = ("[mine]", "[copy]")\n\n[mine]\ntype = Maildir\npath = ~/Mail/\n\n[copy]\ntype = Maildir\npath = ~/Copy/\n`,
  ),
  kept(
    '[DEFAULT] for all sections',
    `[DEFAULT]\nserver = HOST\nport = PORT\nusername = alice\npassword = pw\nread_all = false\npath = ~/Mail/\n\n[retriever]\ntype = SimplePOP3Retriever\n\n[destination]\ntype = Maildir\n\n[options]\n`,
  ),
]

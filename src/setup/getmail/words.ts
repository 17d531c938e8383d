// Each key of getmail 6.20, by the section it is in: translated, harmless, or with the reason why it has no counterpart.
// Data.
import { wordList } from '../words.ts'

const IMAP = 'only for IMAP'
const USER = 'popfetch delivers as the user it runs as'

export const retrieverWords = wordList(
  'type server port username password password_command timeout envelope_recipient use_apop use_xoauth2 keyfile certfile ca_certs ssl_fingerprints ssl_cert_hostname',
  'getmaildir',
  {
    delete_dup_msgids: 'messages with the same UIDL are told apart, none is deleted for it',
    ssl_version: 'TLS 1.2 or newer, as the system has it',
    ssl_ciphers: 'as the system has them',
    mailboxes: IMAP,
    use_peek: IMAP,
    move_on_delete: IMAP,
    uid_cache: IMAP,
    record_mailbox: IMAP,
    use_cram_md5: IMAP,
    use_kerberos: IMAP,
    imap_search: IMAP,
    imap_on_delete: IMAP,
    imap_id_extension: IMAP,
  },
)

export const optionWords = wordList(
  'read_all delete delete_after max_message_size max_messages_per_session received delivered_to message_log use_netrc mark_read',
  'rcfile verbose message_log_verbose fingerprint to_oldmail_on_each_mail skip_imap_fetch_size',
  {
    delete_bigger_than: 'no message is deleted because of its size',
    max_bytes_per_session: 'write how many messages one session may fetch as limit',
    message_log_syslog: 'popfetch writes a file (log.file)',
    logfile: 'an old name of message_log: popfetch writes log.file',
    netrc_file: 'it was not read: write the password as { file } or { command }',
    only_oldmail_file: 'getmail fetched nothing and only kept its record: popfetch --mark-seen skips what is there now',
  },
)

export const destinationWords = wordList(
  'type path filemode host port override arguments destinations default',
  'allow_root_commands ignore_stderr pipe_stdout configparser',
  {
    user: USER,
    group: USER,
    unixfrom: 'the command gets the message without a From_ line',
    locktype: 'an mbox is locked by a file beside it (NAME.lock), and by nothing else',
    fallback: 'there is no second address: a refused message stays on the server and is reported',
    locals: 'popfetch does not sort by recipients; route sorts by header',
    qmaillocal: 'popfetch has no such destination',
    homedir: 'popfetch has no such destination',
    localdomain: 'popfetch has no such destination',
    defaultdelivery: 'popfetch has no such destination',
    'conf-break': 'popfetch has no such destination',
    localpart_translate: 'popfetch has no such destination',
    strip_delivered_to: 'messages are not changed',
  },
)

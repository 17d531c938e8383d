// Each keyword of fetchmail 6.6: translated, harmless, or with the reason why it has no counterpart. Data.
import { wordList } from '../words.ts'

const AS_THEY_ARE = 'messages are not changed'
const NO_BOUNCE = 'a message that cannot be delivered stays on the server, and no bounce is sent'
const NETWORK = 'popfetch does not look at network interfaces'

export const settingWords = wordList('daemon logfile idfile invisible postmaster', 'pidfile properties showdots', {
  syslog: 'popfetch writes a file (log.file), or standard error',
  bouncemail: NO_BOUNCE,
  spambounce: NO_BOUNCE,
  softbounce: NO_BOUNCE,
})

/** Those of which `no WORD` has a remark as well as WORD. */
export const SAID_EITHER_WAY: ReadonlySet<string> = new Set(['bouncemail', 'spambounce', 'softbounce'])

/** Of mail for a whole domain: told with `recipient`. */
export const MULTIDROP: readonly string[] = ['envelope', 'qvirtual', 'localdomains', 'aka', 'fetchdomains']

export const optionWords = wordList(
  `via plugin preconnect postconnect proto port service auth timeout interval esmtpname esmtppassword password passwordfile ssl sslcertck sslcert sslcertfile
   sslkey sslproto sslcommonname sslfingerprint smtpaddress smtpname mda bsmtp limit fetchlimit is smtphost keep fetchall lmtp ${MULTIDROP.join(' ')}`,
  'dns checkalias uidl pass8bits idle fastuidl expunge folder properties',
  {
    tracepolls: 'the trace field does not name the account; label: true adds X-Popfetch-Account',
    'bad-header': 'messages are accepted whatever their header',
    interface: NETWORK,
    monitor: NETWORK,
    plugout: 'there is no program between popfetch and its destination',
    flush: 'nothing is deleted that popfetch did not deliver',
    limitflush: 'larger messages are held, never deleted',
    rewrite: 'addresses are never rewritten',
    stripcr: AS_THEY_ARE,
    forcecr: AS_THEY_ARE,
    mimedecode: AS_THEY_ARE,
    dropstatus: AS_THEY_ARE,
    dropdelivered: AS_THEY_ARE,
    warnings: 'a message that is held is reported once, and `popfetch status` lists it',
    batchlimit: 'a message is handed on as soon as it has arrived',
    fetchsizelimit: 'not needed',
    principal: 'popfetch has no Kerberos',
    sslcertpath: 'give one file of authorities with ca',
    antispam: 'a refused message stays on the server and is reported',
    'retrieve-error': 'a message that cannot be fetched is tried again, and then held and reported',
    passwordfd: 'a password comes from { file }, { env } or { command }',
  },
)

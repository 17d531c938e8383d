import { describe, expect, test } from 'vitest'
import { importFetchmail } from '../../../src/setup/fetchmail/fetchmail.ts'
import { optionWords, settingWords } from '../../../src/setup/fetchmail/words.ts'
import type { WordList } from '../../../src/setup/words.ts'
import { CONTEXT, seenIn, written } from '../scene.ts'

const imported = (text: string) => importFetchmail(text, { ...CONTEXT, idfile: '~/.fetchids' })
const file = (text: string) => written(imported(text))

describe('a .fetchmailrc', () => {
  test('in its most usual form', () => {
    const { accounts, destinations } = file(
      `# my mail\npoll pop.example.net protocol POP3\n  user "alice" there with password "it's #1: \\"x\\"" is al here\n  ssl, keep\n`,
    )
    expect(accounts).toEqual({
      'pop.example.net': {
        host: 'pop.example.net',
        user: 'alice',
        password: `it's #1: "x"`,
        deliver: 'smtp',
        delete: 'never',
      },
    })
    expect(destinations).toEqual({ smtp: { type: 'smtp', host: 'localhost', to: 'al@localhost' } })
  })

  test.each([
    ['nokeep', 'after-delivery'],
    ['no keep', 'after-delivery'],
    ['', 'after-delivery'],
    ['options keep', 'never'],
  ])('with "%s" deletes %s', (option, policy) => {
    const { accounts } = file(`poll a.example proto pop3 user u pass p ssl ${option}`)
    expect(accounts['a.example']?.['delete']).toBe(policy)
  })

  test.each(['kepp', 'limit 5MB', 'interval often', 'fetchlimit ten', 'timeout soon'])(
    'with "%s", which popfetch cannot read, deletes nothing, and warns',
    (words) => {
      const text = `poll a.example proto pop3 user u pass p ssl ${words}`
      expect(file(text).accounts['a.example']?.['delete']).toBe('never')
      const [warning] = imported(text).accounts[0]?.warnings ?? []
      expect(file(text).text).toContain(`# ${warning}`)
    },
  )

  test('with several users of one server, and options of each', () => {
    const { accounts, destinations } = file(`
      poll pop.example.net proto pop3 port 3111
        user "jsmith" with pass "secret1" is "smith" here ssl limit 5000001 fetchlimit 30
        user 'jones@example.net' with pass secret2 is "jjones" here keep sslproto ''`)
    expect(accounts).toMatchObject({
      'jsmith-pop.example.net': { port: 3111, user: 'jsmith', maxSize: '5001KB', limit: 30, deliver: 'smtp' },
      'jones-pop.example.net': {
        user: 'jones@example.net',
        tls: 'none',
        port: 3111,
        deliver: 'smtp-2',
        delete: 'never',
      },
    })
    expect(destinations).toMatchObject({ smtp: { to: 'smith@localhost' }, 'smtp-2': { to: 'jjones@localhost' } })
  })

  test('with defaults, which an entry overrides', () => {
    const { accounts, root } = file(`
      set daemon 600
      defaults protocol pop3, timeout 120, user me there password pw ssl keep smtphost mail.example.org
      poll a.example interval 3
      poll b.example timeout 30 user you there nokeep`)
    expect(root['defaults']).toEqual({ poll: '10m' })
    expect(accounts).toMatchObject({
      'a.example': { user: 'me', password: 'pw', timeout: '120s', delete: 'never', poll: '30m' },
      'b.example': { user: 'you', password: 'pw', timeout: '30s', delete: 'after-delivery' },
    })
  })

  test('with an agent: its words are kept, the sender stays out of the shell', () => {
    const { destinations } = file(`
      poll a.example proto pop3 user u pass p ssl is bob here mda "/usr/bin/procmail -d %T"
      poll b.example proto pop3 user u pass p ssl is bob here mda '/usr/sbin/sendmail -f "%F" -- %T; true'`)
    expect(destinations).toEqual({
      agent: { type: 'command', run: ['/usr/bin/procmail', '-d', 'bob'], cwd: '~' },
      'agent-2': {
        type: 'command',
        run: ['/bin/sh', '-u', '-c', '/usr/sbin/sendmail -f "$SENDER" -- bob; true'],
        cwd: '~',
      },
    })
  })

  test.each([
    [
      'smtphost mail.example.org/2525',
      { type: 'smtp', host: 'mail.example.org', port: 2525, to: 'me@mail.example.org' },
    ],
    ['smtpaddress example.org', { type: 'smtp', host: 'localhost', to: 'me@example.org' }],
    ['smtpname bob@example.org', { type: 'smtp', host: 'localhost', to: 'bob@example.org' }],
    ['smtphost /run/lmtp', { type: 'lmtp', socket: '/run/lmtp', to: 'me' }],
    ['lmtp smtphost localhost/2003', { type: 'lmtp', host: 'localhost', port: 2003, to: 'me@localhost' }],
  ])('that delivers with %s', (option, destination) => {
    const { destinations } = file(`poll a.example proto pop3 user u pass p ssl ${option}`)
    expect(Object.values(destinations)).toEqual([destination])
  })

  test.each([
    ['/starttls', { port: 587, tls: 'starttls' }],
    ['/smtp/starttls', { port: 25, tls: 'starttls' }],
    ['/submission', { port: 587 }],
    ['/SMTPS/tls', { port: 465, tls: 'implicit' }],
    ['', { port: 25 }],
    ['/notls', { port: 25, tls: 'none' }],
    ['/587/STARTTLS', { port: 587, tls: 'starttls' }],
    ['/tls', { port: 465, tls: 'implicit' }],
    ['/2465/tls', { port: 2465, tls: 'implicit' }],
    ['/25/notls', { port: 25, tls: 'none' }],
    ['/tlsproto=tls1.3/starttls/2525', { port: 2525, tls: 'starttls' }],
    ['/99999', { port: 25 }],
    ['/constructor', { port: 25 }],
  ])('that delivers to a server with %s behind its name has port and TLS from there (M008)', (said, keys) => {
    const { destinations } = file(`poll a.example proto pop3 user u pass p ssl smtphost mail.example.org${said}`)
    const expected = { type: 'smtp', host: 'mail.example.org', ...keys, to: 'me@mail.example.org' }
    expect(Object.values(destinations)).toEqual([expected])
  })

  test.each([
    ['ssl', undefined, 995],
    ["sslproto ''", 'none', 110],
    ['sslproto tls1.2+', 'starttls', 110],
    ['', 'starttls', 110],
  ])('with "%s" has tls: %s', (option, tls, port) => {
    const [account] = imported(`poll a.example proto pop3 user u pass p ${option}`).accounts
    expect(account).toMatchObject({ port, keys: tls === undefined ? {} : { tls } })
  })

  const HEX = 'AB'.repeat(32)
  test.each([
    [`sslfingerprint '{SHA256}${HEX}'`, { pin: HEX.toLowerCase() }],
    [`sslfingerprint '{sha256} ${'AB:'.repeat(31)}AB'`, { pin: HEX.toLowerCase() }],
    ["sslfingerprint 'AB:CD'", {}],
    ['sslcommonname mail.example.org', { tlsName: 'mail.example.org' }],
  ])('with %s looks at the certificate as before (M008)', (option, keys) => {
    const [account] = imported(`poll a.example proto pop3 user u pass p ssl ${option}`).accounts
    expect(account?.keys).toMatchObject(keys)
    expect(account?.keys['pin']).toBe('pin' in keys ? keys.pin : undefined)
    const isTold = (account?.remarks.join() ?? '').includes('sslfingerprint')
    expect(isTold).toBe(Object.keys(keys).length === 0)
  })

  test('what is skipped, or no POP3, becomes a comment', () => {
    const { accounts, text } = file(`
      poll a.example proto pop3 user u pass p ssl
      skip b.example proto pop3 user u pass p ssl
      poll c.example proto imap user u pass p ssl folder INBOX`)
    expect(Object.keys(accounts)).toEqual(['a.example'])
    expect(text).toContain(
      '# fetchmail polled this only when asked for by name (skip)\n  # b.example:\n  #   host: b.example',
    )
    expect(text).toContain('# protocol imap: popfetch speaks POP3 only')
  })

  test('what has no counterpart is told, and never a word that might be a secret', () => {
    const { text } = file(`
      poll a.example proto pop3 envelope 2 X-Orig plugout "ssh SECRET" aka x.example
        user u pass p ssl is one two=three here fetchall keep no sslcertck SECRET`)
    for (const word of [
      'multi-drop',
      'popfetch reads the first field of that name',
      'aka: not needed',
      'plugout',
      'fetchall with keep',
      'no sslcertck',
      'line 3',
    ]) {
      expect(text).toContain(word)
    }
    expect(text).not.toContain('SECRET')
  })

  test.each<[string, unknown, string]>([
    [
      'envelope "X-Original-To" localdomains example.org user "box" pass p ssl is * here',
      { header: 'X-Original-To', domains: ['example.org'], otherwise: 'me@example.org' },
      '{local}@localhost',
    ],
    [
      'envelope Delivered-To localdomains example.org user "box" pass p ssl is bob anna=ann * here smtphost mx.example.net',
      { header: 'Delivered-To', domains: ['example.org'], otherwise: 'me@example.org' },
      '{local}@mx.example.net',
    ],
    [
      'envelope Delivered-To localdomains example.org user "box" pass p ssl to bob anna here smtpaddress home.example',
      { header: 'Delivered-To', domains: ['example.org'], otherwise: 'me@example.org' },
      '{local}@home.example',
    ],
    [
      'envelope 0 X-Envelope-To localdomains a.example b.example user "box" pass p ssl is * here',
      { header: 'X-Envelope-To', domains: ['a.example', 'b.example'], otherwise: 'me@a.example' },
      '{recipient}',
    ],
    [
      'envelope X-Envelope-To user "all@example.org" pass p ssl is * here smtphost /run/lmtp',
      { header: 'X-Envelope-To', domains: ['example.org'], otherwise: 'me@example.org' },
      '{local}',
    ],
  ])('of the mailbox of a whole domain has a recipient: %s', (words, recipient, to) => {
    const { accounts, destinations, text } = file(`poll a.example proto pop3 ${words}`)
    expect(accounts['a.example']).toMatchObject({ recipient })
    expect(Object.values(destinations)).toMatchObject([{ to }])
    expect(text).toContain('never To or Cc')
  })

  test('of the mailbox of a whole domain sends to postmaster what names nobody', () => {
    const { accounts } = file(`set postmaster "root"
      poll a.example proto pop3 envelope X-Original-To localdomains example.org user box pass p ssl is * here`)
    expect(accounts['a.example']).toMatchObject({ recipient: { otherwise: 'root@example.org' } })
  })

  test.each([
    ['localdomains example.org', 'the old file does not say which field names the recipient'],
    ['no envelope localdomains example.org', 'the old file does not say which field names the recipient'],
    ['envelope Received localdomains example.org', 'Received fields are not looked through'],
    ['envelope 2 X-Original-To localdomains example.org', 'popfetch reads the first field of that name'],
    ['envelope X-Original-To', 'the old file does not say which domains are yours'],
    ['envelope Delivered-To qvirtual "box-" localdomains example.org', 'a prefix of the address is not cut off'],
  ])('of the mailbox of a whole domain guesses nothing, and says what to write: %s', (words, reason) => {
    const { accounts, destinations, text } = file(
      `poll a.example proto pop3 ${words} user box pass p ssl is bob * here`,
    )
    expect(accounts['a.example']).not.toHaveProperty('recipient')
    expect(Object.values(destinations)).toMatchObject([{ to: 'bob@localhost' }])
    expect(text).toContain(reason)
    expect(text).toContain('all mail goes to one place until you write recipient: {')
  })

  test.each([
    ['smtpname fixed@example.org', { type: 'smtp', to: 'fixed@example.org' }],
    ['mda "/usr/bin/procmail -d %T"', { type: 'command' }],
  ])('of the mailbox of a whole domain leaves alone what goes to one place: %s', (words, destination) => {
    const { accounts, destinations, text } = file(
      `poll a.example proto pop3 envelope X-Original-To localdomains example.org user box pass p ssl is * here ${words}`,
    )
    expect(accounts['a.example']).not.toHaveProperty('recipient')
    expect(Object.values(destinations)).toMatchObject([destination])
    expect(text).toContain('multi-drop: all mail goes to one place')
  })

  test('plugin, preconnect and postconnect become via, before and after, as fetchmail ran them', () => {
    const text = (words: string) => `poll a.example proto pop3 user u pass p ssl ${words}`
    const keysOf = (words: string, env = {}): unknown => {
      const { via, before, after } =
        written(importFetchmail(text(words), { ...CONTEXT, env, idfile: '' })).accounts['a.example'] ?? {}
      return { via, before, after }
    }
    const plugged = `poll a.example proto pop3 service 1110 plugin "ssh -q gate nc %h %p" user u pass p`
    expect(file(plugged).accounts['a.example']).toMatchObject({
      via: ['ssh', '-q', 'gate', 'nc', 'a.example', '1110'],
      tls: 'starttls',
    })
    expect(keysOf('')).toEqual({ via: undefined, before: undefined, after: undefined })
    expect(keysOf('preconnect "/usr/bin/ssh -f gate sleep 20" postconnect "date"')).toMatchObject({
      before: ['/usr/bin/ssh', '-f', 'gate', 'sleep', '20'],
      after: ['date'],
    })
    // What a shell did is done by a shell, in the same folder, and with the variables that it took.
    expect(
      keysOf('preconnect "ssh -f $GATE sleep 20 >/dev/null" postconnect "bin/done.sh"', { GATE: 'gate.example' }),
    ).toMatchObject({
      before: ['env', 'GATE=gate.example', '/bin/sh', '-u', '-c', 'cd && ssh -f $GATE sleep 20 >/dev/null'],
      after: ['/bin/sh', '-u', '-c', 'cd && bin/done.sh'],
    })
    expect(file(text('preconnect "ssh -f $GATE sleep 20"')).text).toContain('$GATE: it has no value here')
  })

  test('without a password has that of the netrc, else says where to put one', () => {
    const text = 'poll a.example proto pop3 user u ssl'
    const fromNetrc = importFetchmail(text, {
      localUser: 'me',
      netrc: { password: () => 'from netrc', login: () => null },
      env: {},
      idfile: '',
    })
    expect(written(fromNetrc).accounts['a.example']?.['password']).toBe('from netrc')
    expect(file(text).accounts['a.example']?.['password']).toEqual({ file: '~/.config/popfetch/a.example.password' })
  })
})

// The keywords of fetchmail's manual page and grammar, with an argument where they take one.
const SERVER_WORDS = `via v;proto pop3;protocol pop3;local x;localdomains x;port 110;service 110;auth password;authenticate any;
  preauth any;timeout 60;envelope X-O;no envelope;qvirtual q;aka x;interface i;monitor m;plugin p;plugout p;dns;no dns;checkalias;
  no checkalias;uidl;no uidl;interval 2;tracepolls;principal p;esmtpname e;esmtppassword e;bad-header accept`
const USER_WORDS = `is x here;to x here;pass p;password p;passwordfile f;passwordfd 3;ssl;sslcert c;sslcertck;no sslcertck;
  sslcertfile f;sslcertpath d;sslcommonname n;sslfingerprint f;sslkey k;sslproto auto;folder f;smtphost h;smtp h;fetchdomains d;
  smtpaddress a;smtpname n@x;antispam 571;mda m;bsmtp b;lmtp;preconnect c;postconnect c;pre c;post c;keep;nokeep;flush;noflush;
  limitflush;fetchall;rewrite;no rewrite;stripcr;forcecr;pass8bits;pass8;dropstatus;dropdelivered;mimedecode;mimedec;idle;limit 7;
  warnings 7;batchlimit 7;fetchlimit 7;fetchsizelimit 7;fastuidl 7;expunge 7;properties p`
const SET_WORDS = `daemon 7;logfile l;idfile i;pidfile p;syslog;nosyslog;invisible;showdots;postmaster p;bouncemail;no bouncemail;
  spambounce;no spambounce;softbounce;no softbounce;properties p`
const SYNONYM: Readonly<Record<string, string>> = {
  protocol: 'proto',
  local: 'localdomains',
  authenticate: 'auth',
  preauth: 'auth',
  to: 'is',
  pass: 'password',
  smtp: 'smtphost',
  pre: 'preconnect',
  post: 'postconnect',
  pass8: 'pass8bits',
  mimedec: 'mimedecode',
}
const each = (words: string) => words.split(';').map((word) => word.trim())

describe('each word of the manual is translated, harmless, or told with a reason', () => {
  const lists = (words: WordList, line: string) => {
    const written = line.replace(/^no ?(?!.*-)(?=\w)/, '').split(' ')[0] ?? ''
    const word = SYNONYM[written] ?? written
    return words.translated.has(word) || words.harmless.has(word) || line.startsWith('no') ? null : word
  }
  const expectTold = (text: string, words: WordList, line: string) => {
    const old = imported(text)
    expect([...old.remarks, ...(old.accounts[0]?.warnings ?? [])].join()).not.toContain('line')
    const word = lists(words, line)
    const remarks = [...old.remarks, ...(old.accounts[0]?.remarks ?? [])]
    if (word !== null) expect(remarks.filter((remark) => remark.startsWith(`${word}: `))).toHaveLength(1)
  }

  test.each(each(SERVER_WORDS))('%s', (line) => {
    expectTold(`poll a.example ${line} user u pass p ssl`, optionWords, line)
  })
  test.each(each(USER_WORDS))('%s', (line) => {
    expectTold(`poll a.example proto pop3 user u pass p ${line}`, optionWords, line)
  })
  test.each(each(SET_WORDS))('set %s', (line) => {
    expectTold(`set ${line}\npoll a.example proto pop3 user u pass p ssl`, settingWords, line)
  })

  test('softbounce is told in both ways', () => {
    const { text } = file('set no softbounce\npoll a.example proto pop3 user u pass p ssl')
    expect(text).toContain('# softbounce: ')
  })

  test('set invisible puts no field on top', () => {
    const { destinations } = file('set invisible\npoll a.example proto pop3 user u pass p ssl mda /bin/x')
    expect(Object.values(destinations)).toEqual([{ type: 'command', run: ['/bin/x'], cwd: '~', trace: false }])
  })
})

describe('.fetchids', () => {
  const seen = imported(`set idfile /var/ids
    poll old via pop.example.net proto pop3 user 'al ice@x.org' pass p`).accounts[0]?.seen

  test('is where `set idfile` says', () => expect(seen?.file).toBe('/var/ids'))

  test('has the messages of the account alone', () => {
    const text = `al ice@x.org@pop.example.net 1a\nbob@pop.example.net 2\nal ice@x.org@POP.example.net b@c\nal ice@x.org@other 3\n\n`
    expect(seenIn(seen, text)).toEqual(['1a', 'b@c'])
  })
})

// The text of a private Dovecot's configuration, for 2.3 (Debian 12, Ubuntu 22.04 and 24.04) and 2.4 (Debian 13), whose
// languages differ. Everything lies below one directory; one password opens every mailbox, so accounts need no set-up.
import { join } from 'node:path'
import type { Certificate } from './certificate.ts'

export interface DovecotSettings {
  /** Holds run/, state/ and mail/USER; short, because Unix sockets lie in it (108 bytes). */
  readonly directory: string
  readonly pop3Port: number
  readonly pop3sPort: number
  /** Null: it takes no mail. */
  readonly lmtp: { readonly port: number; readonly socket: string } | null
  /** Null: it does not speak IMAP. */
  readonly imap: { readonly port: number; readonly tlsPort: number; readonly quotaBytes: number | null } | null
  /** Null: it takes no mail to pass on. */
  readonly submission: { readonly port: number; readonly tlsPort: number; readonly relayPort: number } | null
  readonly certificate: Certificate
  readonly password: string
  readonly mechanisms: readonly string[]
  /** Holds the key of access tokens, as token.ts lays it down; null: none are taken. Not for 2.4, whose language for it differs. */
  readonly tokenKeys: string | null
  /** False: a mailbox is the same after a session as before, so that measurements can be repeated. */
  readonly flagUpdates: boolean
  /** Started by root it changes to these; otherwise everything runs as the user who started it. */
  readonly mailUser: { readonly uid: number; readonly gid: number }
  /** The user who started it, by name; null: root, and Dovecot's own users run it. */
  readonly startedBy: { readonly user: string; readonly group: string } | null
}

export function dovecotConfig(version: string, settings: DovecotSettings): string {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isNew = major > 2 || (major === 2 && minor >= 4)
  const lines = [
    ...(isNew ? named24(settings) : named23(settings)),
    ...common(settings, isNew ? 'restart_request_count = unlimited' : 'service_count = 0'),
  ]
  return `${lines.join('\n')}\n`
}

function common(settings: DovecotSettings, manyRequestsPerProcess: string): string[] {
  const { directory, startedBy } = settings
  return [
    `protocols = pop3${settings.lmtp === null ? '' : ' lmtp'}${settings.imap === null ? '' : ' imap'}${settings.submission === null ? '' : ' submission'}`,
    'listen = 127.0.0.1',
    `base_dir = ${join(directory, 'run')}`,
    `state_dir = ${join(directory, 'state')}`,
    `log_path = ${join(directory, 'dovecot.log')}`,
    'ssl = yes',
    'auth_failure_delay = 0',
    'first_valid_uid = 1',
    'first_valid_gid = 1',
    'mail_max_userip_connections = 0',
    `pop3_no_flag_updates = ${settings.flagUpdates ? 'no' : 'yes'}`,
    ...(startedBy === null
      ? []
      : [
          `default_internal_user = ${startedBy.user}`,
          `default_internal_group = ${startedBy.group}`,
          `default_login_user = ${startedBy.user}`,
        ]),
    // Many sign-ins at once from one address, and wrong passwords among them: neither may slow the others down.
    'service pop3 {\n  process_limit = 512\n}',
    'service anvil {\n  client_limit = 4096\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}',
    ...(startedBy === null ? [] : ['service anvil {\n  chroot =\n}']),
    ...(settings.lmtp === null ? [] : [lmtpService(settings.lmtp)]),
    ...(settings.imap === null ? [] : imapService(settings, settings.imap, manyRequestsPerProcess)),
    ...(settings.submission === null ? [] : submissionService(settings, settings.submission)),
    [
      'service pop3-login {',
      `  ${manyRequestsPerProcess}`,
      '  client_limit = 1024',
      '  process_min_avail = 1',
      ...(startedBy === null ? [] : ['  chroot =']),
      `  inet_listener pop3 {\n    port = ${settings.pop3Port}\n  }`,
      `  inet_listener pop3s {\n    port = ${settings.pop3sPort}\n    ssl = yes\n  }`,
      '}',
    ].join('\n'),
  ]
}

function lmtpService({ port, socket }: NonNullable<DovecotSettings['lmtp']>): string {
  return [
    'service lmtp {',
    `  unix_listener ${socket} {\n    mode = 0666\n  }`,
    `  inet_listener lmtp {\n    port = ${port}\n  }`,
    '}',
  ].join('\n')
}

function imapService(
  { startedBy }: DovecotSettings,
  { port, tlsPort, quotaBytes }: NonNullable<DovecotSettings['imap']>,
  manyRequestsPerProcess: string,
): string[] {
  return [
    [
      'service imap-login {',
      `  ${manyRequestsPerProcess}`,
      ...(startedBy === null ? [] : ['  chroot =']),
      `  inet_listener imap {\n    port = ${port}\n  }`,
      `  inet_listener imaps {\n    port = ${tlsPort}\n    ssl = yes\n  }`,
      '}',
    ].join('\n'),
    // The language of 2.3.
    ...(quotaBytes === null
      ? []
      : [
          'protocol imap {\n  mail_plugins = quota imap_quota\n}',
          `plugin {\n  quota = maildir:User quota\n  quota_rule = *:bytes=${quotaBytes}\n}`,
        ]),
  ]
}

function submissionService(
  { startedBy }: DovecotSettings,
  { port, tlsPort, relayPort }: NonNullable<DovecotSettings['submission']>,
): string[] {
  return [
    'hostname = submission.source.test',
    'submission_relay_host = 127.0.0.1',
    `submission_relay_port = ${relayPort}`,
    [
      'service submission-login {',
      ...(startedBy === null ? [] : ['  chroot =']),
      `  inet_listener submission {\n    port = ${port}\n  }`,
      `  inet_listener submissions {\n    port = ${tlsPort}\n    ssl = yes\n  }`,
      '}',
    ].join('\n'),
  ]
}

function named23(settings: DovecotSettings): string[] {
  const { certificate, directory, mailUser } = settings
  const home = join(directory, 'mail', '%u')
  return [
    'disable_plaintext_auth = no',
    `auth_mechanisms = ${settings.mechanisms.join(' ')}`,
    `ssl_cert = <${certificate.certificateFile}`,
    `ssl_key = <${certificate.keyFile}`,
    `mail_location = maildir:${home}`,
    ...(settings.tokenKeys === null
      ? []
      : [
          `passdb {\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = ${join(settings.tokenKeys, 'oauth2.conf')}\n}`,
        ]),
    `passdb {\n  driver = static\n  args = password=${settings.password}\n}`,
    `userdb {\n  driver = static\n  args = uid=${mailUser.uid} gid=${mailUser.gid} home=${home} allow_all_users=yes\n}`,
  ]
}

function named24(settings: DovecotSettings): string[] {
  const { certificate, directory, mailUser } = settings
  const home = join(directory, 'mail', '%{user}')
  return [
    'dovecot_config_version = 2.4.0',
    'dovecot_storage_version = 2.4.0',
    'auth_allow_cleartext = yes',
    `auth_mechanisms = ${settings.mechanisms.join(' ')}`,
    `ssl_server_cert_file = ${certificate.certificateFile}`,
    `ssl_server_key_file = ${certificate.keyFile}`,
    'mail_driver = maildir',
    `mail_path = ${home}`,
    `passdb static {\n  password = ${settings.password}\n}`,
    `userdb static {\n  allow_all_users = yes\n  fields {\n    uid = ${mailUser.uid}\n    gid = ${mailUser.gid}\n    home = ${home}\n  }\n}`,
  ]
}

// Fifteen .mpoprc files.
import type { Style } from './style.ts'

const server = 'host HOST\nport PORT\nuser alice\npassword pw\n'
const maildir = 'delivery maildir ~/Mail\n'
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
const record = (file: string, text = ' 2 HOST alice\nu1\nu2\n') => ({ record: { file, text } })

export const mpopStyles: readonly Style[] = [
  deleted('the smallest', `account default\n${server}${maildir}`),
  kept('keep on', `account a\n${server}${maildir}keep on\n`),
  kept('keep without a word', `account a\n${server}${maildir}keep\n`),
  deleted('keep off', `account a\n${server}keep off\n${maildir}`),
  kept(
    'a retention',
    `account a\n${server}keep 30d\n${maildir}`,
    record('.mpop_uidls/alice_at_HOST', ' 2 HOST alice\nu1 1700000000\nu2 1700000000\n'),
  ),
  kept('a retention in parts', `account a\n${server}keep 1d 11h 60m\n${maildir}`),
  kept('a word for keep that nobody knows', `account a\n${server}keep forever\n${maildir}`),
  kept(
    'defaults, and an account that is named as the usual one',
    `defaults\ntls off\ntimeout 60\nkeep on\n${maildir}\naccount work\n${server}\naccount default : work\n`,
  ),
  deleted('defaults that an account changes', `defaults\nkeep on\n${maildir}\naccount a\n${server}keep off\n`),
  kept(
    'comments, blanks and tabs in front',
    `# mine\n\n  # and mine\naccount\ta\n\thost\tHOST\n\tport\tPORT\n\tuser\talice\n\tpassword\tpw\n\t# keep off\n\tkeep\ton\n\tdelivery\tmaildir ~/Mail`,
  ),
  kept('CRLF and a BOM', `\uFEFF${`account a\n${server}keep on\n${maildir}`.replaceAll('\n', '\r\n')}`),
  kept(
    'quotes around all',
    `account "a"\nhost "HOST"\nport "PORT"\nuser "alice"\npassword "pw"\nkeep "on"\ndelivery maildir "~/Mail"\n`,
  ),
  kept(
    'a record of its own, with a comment',
    `account a\n${server}keep on\nuidls_file ~/state/%U-%H.ids\n${maildir}`,
    record('state/alice-HOST.ids', '# mpop\n 1 other.example bob\nx\n 2 HOST alice\nu1\nu2\n'),
  ),
  deleted(
    'a program',
    `account a\n${server}received_header off\npasswordeval "echo pw"\ndelivery mda "/bin/sh -c 'cat >> HOME/out'"\n`,
    { mail: 'out' },
  ),
  kept(
    'an mbox, limits and a filter',
    `account a\n${server}keep on\nskipsize 0\nkillsize off\npipelining auto\nonly_new on\nauth user\ndelivery mbox ~/out\n`,
    { mail: 'out', files: { out: '' } },
  ),
]

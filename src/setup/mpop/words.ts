// Each setting of mpop 1.4.23: translated, harmless, or with the reason why it has no counterpart. Data.
import { wordList } from '../words.ts'

export const mpopWords = wordList(
  'host port timeout pipelining auth user password passwordeval tls tls_starttls tls_trust_file tls_fingerprint tls_key_file tls_cert_file tls_certcheck tls_host_override proxy_host proxy_port delivery uidls_file only_new keep skipsize received_header',
  'tls_force_sslv3',
  {
    source_ip: 'the system chooses the address',
    socket: 'a server is reached over TCP',
    ntlmdomain: 'popfetch has no NTLM',
    tls_crl_file: 'certificates that were revoked are not looked up in a file; pin accepts one certificate only',
    tls_priorities: 'as the system has them',
    tls_min_dh_prime_bits: 'as the system has them',
    killsize: 'larger messages are held (maxSize), never deleted',
    filter: 'popfetch has no filters: route and maxSize sort by header and size',
  },
)

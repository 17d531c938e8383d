// Whether a certificate names the host that was meant, for POP3, SMTP and everything else that speaks TLS.
// One rule: only names in subjectAltName count. Node falls back to the common name where there are none, which RFC 9525
// (section 2) forbids: authorities check a common name as they like.
import type { PeerCertificate } from 'node:tls'

/** For `checkServerIdentity` of node:tls. Undefined: it does. An error's code is always ERR_TLS_CERT_ALTNAME_INVALID. */
export function checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  if (!/(?:^|, )(?:DNS|IP Address):/.test(certificate.subjectaltname ?? '')) {
    const text = 'its certificate has no host name in subjectAltName, and a common name alone does not count'
    return Object.assign(new Error(text), { code: 'ERR_TLS_CERT_ALTNAME_INVALID', host, cert: certificate })
  }
  return process.getBuiltinModule('node:tls').checkServerIdentity(host, certificate)
}

// A certificate with any text in its names: for servers that put there what they like. Signed by itself, for a day.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

const SEQUENCE = 0x30
const SET = 0x31
const COMMON_NAME = '550403'
const ORGANIZATION = '55040a'
const ECDSA_SHA256 = '2a8648ce3d040302'
const BASIC_CONSTRAINTS = '551d13'
const ALTERNATIVE_NAMES = '551d11'

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  if (content.length < 128) return Buffer.concat([Buffer.from([tag, content.length]), content])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return Buffer.concat([Buffer.from([tag, 0x84]), length, content])
}

const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text))

function time(ms: number): Buffer {
  return der(0x18, Buffer.from(`${new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+Z$/g, '')}Z`))
}

/** The words stand as common name and organization, of subject and issuer, and in the name of a host. */
export function namedCertificate(words: string, nowMs: number): { readonly key: string; readonly cert: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const attribute = (type: string): Buffer => der(SET, der(SEQUENCE, oid(type), utf8(words)))
  const name = der(SEQUENCE, attribute(ORGANIZATION), attribute(COMMON_NAME))
  const algorithm = der(SEQUENCE, oid(ECDSA_SHA256))
  const hosts = der(SEQUENCE, der(0x82, Buffer.from(`${words}.example.org`, 'latin1')), der(0x82, Buffer.from(words)))
  const isAuthority = der(SEQUENCE, der(0x01, Buffer.from([0xff])))
  const extensions = der(
    0xa3,
    der(
      SEQUENCE,
      der(SEQUENCE, oid(BASIC_CONSTRAINTS), der(0x04, isAuthority)),
      der(SEQUENCE, oid(ALTERNATIVE_NAMES), der(0x04, hosts)),
    ),
  )
  const signed = der(
    SEQUENCE,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    name,
    der(SEQUENCE, time(nowMs - 3_600_000), time(nowMs + 86_400_000)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    extensions,
  )
  const signature = der(0x03, Buffer.from([0]), sign('sha256', signed, privateKey))
  const certificate = der(SEQUENCE, signed, algorithm, signature)
  const lines = certificate.toString('base64').replaceAll(/.{1,64}/g, '$&\n')
  return {
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`,
  }
}

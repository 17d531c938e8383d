// Which addresses belong to a network of one's own: RFC 1918 and RFC 4193, such as those of containers. Nothing is looked up.
import { isIP, type BlockList } from 'node:net'

/** Made at first use: Node loads what a list is. */
let known: BlockList | null = null

function privateNetworks(): BlockList {
  const { BlockList } = process.getBuiltinModule('node:net')
  const list = new BlockList()
  list.addSubnet('10.0.0.0', 8, 'ipv4')
  list.addSubnet('172.16.0.0', 12, 'ipv4')
  list.addSubnet('192.168.0.0', 16, 'ipv4')
  list.addSubnet('fc00::', 7, 'ipv6')
  return list
}

export function isPrivate(address: string): boolean {
  const bare = address.replace(/^::ffff:(?=\d+\.)/, '')
  const family = isIP(bare)
  return family !== 0 && (known ??= privateNetworks()).check(bare, family === 4 ? 'ipv4' : 'ipv6')
}

// Which addresses belong to a network of one's own: RFC 1918 and RFC 4193, such as those of containers. Nothing is looked up.
import * as net from 'node:net'

let networks: net.BlockList | null = null

/** At first use: most polls ask for none, and Node's list is loaded for it. */
function privateNetworks(): net.BlockList {
  if (networks !== null) return networks
  networks = new net.BlockList()
  networks.addSubnet('10.0.0.0', 8, 'ipv4')
  networks.addSubnet('172.16.0.0', 12, 'ipv4')
  networks.addSubnet('192.168.0.0', 16, 'ipv4')
  networks.addSubnet('fc00::', 7, 'ipv6')
  return networks
}

export function isPrivate(address: string): boolean {
  const bare = address.replace(/^::ffff:(?=\d+\.)/, '')
  const family = net.isIP(bare)
  return family !== 0 && privateNetworks().check(bare, family === 4 ? 'ipv4' : 'ipv6')
}

// Which addresses belong to a network of one's own: RFC 1918 and RFC 4193, such as those of containers. Nothing is looked up.
import net from 'node:net'

let made: net.BlockList | null = null

/** Made where it is needed: to load Node's list takes half a millisecond of each start. */
function privateNetworks(): net.BlockList {
  if (made !== null) return made
  made = new net.BlockList()
  made.addSubnet('10.0.0.0', 8, 'ipv4')
  made.addSubnet('172.16.0.0', 12, 'ipv4')
  made.addSubnet('192.168.0.0', 16, 'ipv4')
  made.addSubnet('fc00::', 7, 'ipv6')
  return made
}

export function isPrivate(address: string): boolean {
  const bare = address.replace(/^::ffff:(?=\d+\.)/, '')
  const family = net.isIP(bare)
  return family !== 0 && privateNetworks().check(bare, family === 4 ? 'ipv4' : 'ipv6')
}

// `dns-suffix` and `dns-server-list`: what /etc/resolv.conf says.

import { readFileSync } from 'node:fs'

function words(keyword: string): readonly string[] {
  return readFileSync('/etc/resolv.conf', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([first]) => first === keyword)
    .flatMap(([, ...rest]) => rest)
}

export function dnsSuffix(): void {
  process.stdout.write(words('search').join(','))
}

export function dnsServers(): void {
  process.stdout.write(words('nameserver').join(','))
}

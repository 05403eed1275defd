// Where an etcd is and how to speak to it, as one URL: `etcd://a,b:2379,c/prefix?ca=…&cert=…&key=…`.

import { readFile } from 'node:fs/promises'

export interface EtcdAddress {
  /** `host:port`, tried in this order. */
  readonly endpoints: readonly string[]
  /** All keys begin with it; it ends in a slash. */
  readonly prefix: string
  readonly tls?: {
    /** Paths of PEM files. */
    readonly caFile?: string
    readonly certFile?: string
    readonly keyFile?: string
    /** The name in the members' certificates, where it is not the host. */
    readonly serverName?: string
  }
  readonly user?: { readonly name: string; readonly password: string }
}

const DEFAULT_PORT = '2379'
export const defaultEtcdPrefix = '/aksel/'
const known = new Set(['tls', 'ca', 'cert', 'key', 'servername', 'user', 'password-file'])

/**
 * Throws an Error in words for the user. The query knows `tls=true`, `ca`, `cert`, `key` (paths), `servername`, `user` and
 * `password-file`: a password does not belong on a command line that everybody on the host can read.
 */
export function parseEtcdAddress(text: string): EtcdAddress {
  const [, hosts, path = '/', search = ''] = /^etcd:\/\/([^/?]*)(\/[^?]*)?(\?.*)?$/.exec(text) ?? []
  if (hosts === undefined) throw new Error(`Cannot read "${text}": it should look like etcd://host:2379,host2/prefix`)
  const endpoints = hosts.split(',').map((host) => endpointOf(host, text))
  const query = new URLSearchParams(search)
  const stray = [...query.keys()].find((name) => !known.has(name))
  if (stray !== undefined) throw new Error(`Cannot read "${text}": there is no option "${stray}"`)
  const prefix = path === '/' ? defaultEtcdPrefix : path.endsWith('/') ? path : `${path}/`
  return { endpoints, prefix, ...tlsOf(query, text) }
}

function tlsOf(query: URLSearchParams, text: string): Pick<EtcdAddress, 'tls'> {
  const [caFile, certFile, keyFile, serverName] = ['ca', 'cert', 'key', 'servername'].map((name) => query.get(name))
  if ((certFile === null) !== (keyFile === null)) throw new Error(`Cannot read "${text}": cert and key go together`)
  const wanted = query.get('tls') === 'true' || caFile !== null || certFile !== null
  if (!wanted) return {}
  return {
    tls: {
      ...(typeof caFile === 'string' ? { caFile } : {}),
      ...(typeof certFile === 'string' ? { certFile } : {}),
      ...(typeof keyFile === 'string' ? { keyFile } : {}),
      ...(typeof serverName === 'string' ? { serverName } : {}),
    },
  }
}

function endpointOf(host: string, text: string): string {
  if (!/^(\[[0-9a-fA-F:]+\]|[\w.-]+)(:\d{1,5})?$/.test(host)) {
    throw new Error(`Cannot read "${text}": "${host}" is no host`)
  }
  return /:\d+$/.test(host) && !host.endsWith(']') ? host : `${host}:${DEFAULT_PORT}`
}

/** The address with the user of its query, whose password stands in a file. */
export async function withEtcdUser(text: string): Promise<EtcdAddress> {
  const address = parseEtcdAddress(text)
  const query = new URLSearchParams(/\?.*$/.exec(text)?.[0] ?? '')
  const [name, passwordFile] = [query.get('user'), query.get('password-file')]
  if (name === null && passwordFile === null) return address
  if (name === null || passwordFile === null) {
    throw new Error(`Cannot read "${text}": user and password-file go together`)
  }
  return { ...address, user: { name, password: (await readFile(passwordFile, 'utf8')).trim() } }
}

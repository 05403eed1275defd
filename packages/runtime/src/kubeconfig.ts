// The file by which kubectl, agents and users find a cluster and prove who they are, with all certificates embedded.

/** What a kubeconfig says about its current context. PEM texts, not base64. */
export interface ClusterAccess {
  /** `https://host:port`. */
  readonly server: string
  readonly caPem: string
  readonly certPem?: string
  readonly keyPem?: string
  readonly token?: string
  /** The name that the server's certificate must carry, where it is not the URL's host. */
  readonly serverName?: string
}

export interface KubeconfigNames {
  readonly cluster: string
  readonly user: string
  /** The cluster's name when absent, as on AKS. */
  readonly context?: string
  readonly namespace?: string
}

/** A kubeconfig as YAML, fields in the order in which kubectl writes them. */
export function renderKubeconfig(access: ClusterAccess, names: KubeconfigNames): string {
  const context = names.context ?? names.cluster
  const lines = [
    'apiVersion: v1',
    'clusters:',
    '- cluster:',
    `    certificate-authority-data: ${base64(access.caPem)}`,
    `    server: ${access.server}`,
    ...optional('    tls-server-name', access.serverName),
    `  name: ${quote(names.cluster)}`,
    'contexts:',
    '- context:',
    `    cluster: ${quote(names.cluster)}`,
    ...optional('    namespace', names.namespace),
    `    user: ${quote(names.user)}`,
    `  name: ${quote(context)}`,
    `current-context: ${quote(context)}`,
    'kind: Config',
    'preferences: {}',
    'users:',
    `- name: ${quote(names.user)}`,
    ...userLines(access),
  ]
  return `${lines.join('\n')}\n`
}

/** The current context's access; JSON is read as it is, YAML by the library, loaded when first needed. */
export async function parseKubeconfig(text: string): Promise<ClusterAccess> {
  const config = record('kubeconfig', text.trimStart().startsWith('{') ? JSON.parse(text) : await parseYaml(text))
  const contextName = string('current-context', config['current-context'])
  const context = record('context', named(config, 'contexts', 'context', contextName))
  const cluster = record('cluster', named(config, 'clusters', 'cluster', string('cluster', context['cluster'])))
  const user = record('user', named(config, 'users', 'user', string('user', context['user'])))
  const certPem = data(user, 'client-certificate-data')
  const keyPem = data(user, 'client-key-data')
  const caPem = data(cluster, 'certificate-authority-data')
  if (caPem === undefined) throw new Error(`Cannot use kubeconfig context "${contextName}": its cluster embeds no CA`)
  return {
    server: string('server', cluster['server']),
    caPem,
    ...(certPem === undefined ? {} : { certPem }),
    ...(keyPem === undefined ? {} : { keyPem }),
    ...(typeof user['token'] === 'string' ? { token: user['token'] } : {}),
    ...(typeof cluster['tls-server-name'] === 'string' ? { serverName: cluster['tls-server-name'] } : {}),
  }
}

function userLines(access: ClusterAccess): readonly string[] {
  const fields = [
    ...optional('    client-certificate-data', access.certPem && base64(access.certPem)),
    ...optional('    client-key-data', access.keyPem && base64(access.keyPem)),
    ...optional('    token', access.token),
  ]
  return fields.length === 0 ? ['  user: {}'] : ['  user:', ...fields]
}

function optional(key: string, value: string | undefined): readonly string[] {
  return value === undefined || value === '' ? [] : [`${key}: ${quote(value)}`]
}

/** Plain where YAML reads it back as the same string, quoted otherwise. */
function quote(value: string): string {
  const plain = /^[A-Za-z][\w./@+=-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value)
  return plain ? value : JSON.stringify(value)
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

async function parseYaml(text: string): Promise<unknown> {
  const { parse } = await import('yaml')
  return parse(text)
}

function named(config: Readonly<Record<string, unknown>>, list: string, field: string, name: string): unknown {
  const entries = config[list]
  if (!Array.isArray(entries)) throw new Error(`Cannot read kubeconfig: ${list} is not a list`)
  const found = entries.find((entry: unknown) => record(list, entry)['name'] === name)
  if (found === undefined) throw new Error(`Cannot read kubeconfig: no ${field} is named "${name}"`)
  return record(list, found)[field]
}

function data(from: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = from[key]
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined
}

function record(what: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Error(`Cannot read kubeconfig: ${what} is not a mapping`)
}

function string(what: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new Error(`Cannot read kubeconfig: ${what} is missing`)
}

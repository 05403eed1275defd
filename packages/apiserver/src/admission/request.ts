// Makes the admission request of a write, of an action on a subresource, or of a connection.

import type { ResourceCall } from '../call-context.ts'
import type { Registry, WriteCall } from '../registry/registry.ts'
import type { AdmissionRequest, ShownBody } from './admission.ts'

type Own = Pick<AdmissionRequest, 'operation' | 'subresource' | 'name' | 'object' | 'old' | 'body'>

export function admissionRequestOf(call: WriteCall, own: Own): AdmissionRequest {
  const { row, namespace, user, dryRun, warnings, annotations, waits, signal, options, fence } = call
  return {
    row,
    namespace,
    user,
    dryRun,
    warnings,
    ...(annotations === undefined ? {} : { annotations }),
    ...(waits === undefined ? {} : { waits }),
    ...(signal === undefined ? {} : { signal }),
    ...(options === undefined ? {} : { options }),
    ...(fence === undefined ? {} : { fence }),
    ...own,
  }
}

/** A POST on a subresource that writes no object of its own kind: eviction, token. Throws what admission says. */
export async function admitAction(
  registry: Registry,
  call: WriteCall,
  { name, subresource, body }: { readonly name: string; readonly subresource: string; readonly body: ShownBody },
): Promise<void> {
  const request = admissionRequestOf(call, {
    operation: 'CREATE',
    subresource,
    name,
    object: undefined,
    old: undefined,
    body,
  })
  await registry.admission.mutate(request)
  await registry.admission.validate(request)
}

const optionKinds: Readonly<Record<string, string>> = {
  'pods/exec': 'PodExecOptions',
  'pods/attach': 'PodAttachOptions',
  'pods/portforward': 'PodPortForwardOptions',
  'pods/proxy': 'PodProxyOptions',
  'services/proxy': 'ServiceProxyOptions',
  'nodes/proxy': 'NodeProxyOptions',
}

/** Sessions and proxies are admitted too; reading logs is not. Throws what admission says. */
export async function admitConnect(registry: Registry, context: ResourceCall): Promise<void> {
  const { row, info, user, warnings, call, annotations, waits } = context
  const kind = optionKinds[`${row.plural}/${info.subresource}`]
  if (kind === undefined) return
  const request: AdmissionRequest = {
    operation: 'CONNECT',
    row,
    subresource: info.subresource,
    namespace: row.namespaced ? info.namespace : '',
    name: info.name,
    user,
    dryRun: false,
    object: undefined,
    old: undefined,
    warnings,
    signal: call.signal,
    ...(annotations === undefined ? {} : { annotations }),
    ...(waits === undefined ? {} : { waits }),
    body: { group: '', version: 'v1', kind, object: connectOptions(kind, context) },
  }
  await registry.admission.mutate(request)
  await registry.admission.validate(request)
}

function connectOptions(kind: string, { info }: ResourceCall): unknown {
  const { query } = info
  const options: Record<string, unknown> = { kind, apiVersion: 'v1' }
  if (kind.endsWith('ProxyOptions')) return info.rest === '' ? options : { ...options, path: info.rest }
  if (kind === 'PodPortForwardOptions') {
    const ports = query.getAll('ports').flatMap((text) => text.split(',').map(Number))
    return ports.length === 0 ? options : { ...options, ports }
  }
  for (const flag of ['stdin', 'stdout', 'stderr', 'tty']) {
    const value = query.get(flag)
    if (value !== null && value !== '0' && value.toLowerCase() !== 'false') options[flag] = true
  }
  const container = query.get('container')
  if (container !== null && container !== '') options['container'] = container
  const command = query.getAll('command')
  return command.length === 0 ? options : { ...options, command }
}

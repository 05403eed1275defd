// Ports that an object offers over TCP.

interface Ported {
  readonly kind: string
  readonly spec?: Readonly<Record<string, unknown>>
}

export function portsOf({ kind, spec = {} }: Ported): readonly number[] {
  if (kind === 'Service')
    return ((spec['ports'] as readonly { readonly port: number; readonly protocol?: string }[] | undefined) ?? [])
      .filter(({ protocol }) => protocol !== 'UDP')
      .map(({ port }) => port)
  if (kind !== 'Pod') return []
  const containers =
    (spec['containers'] as
      | readonly { readonly ports?: readonly { readonly containerPort: number; readonly protocol?: string }[] }[]
      | undefined) ?? []
  return containers.flatMap(({ ports = [] }) =>
    ports.filter(({ protocol }) => protocol !== 'UDP').map(({ containerPort }) => containerPort),
  )
}

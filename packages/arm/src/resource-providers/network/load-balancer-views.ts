// The load balancers `kubernetes` and `kubernetes-internal` of a cluster's node group, and the public addresses of its services, as
// AKS's cloud provider makes them. Pure: what stands in the fabric in, documents out.

import type { LoadBalancerRule, StandingLoadBalancer } from '@aksel/provider/fabric'
import type { ClusterRecord, DocumentRecord, Json } from '../../records.ts'
import { ownNetworkId } from '../container-service/outbound.ts'
import { objectAt } from '../body.ts'
import type { ChildDocument } from './network-references.ts'

export interface BalancedCluster {
  readonly cluster: ClusterRecord
  /** Load balancers of its services. */
  readonly standing: readonly StandingLoadBalancer[]
  /** IP configurations of its nodes. */
  readonly nodes: readonly { readonly address: string; readonly configuration: string }[]
  /** Public addresses that its nodes leave by; none where the load balancer has nothing to do with that. */
  readonly outbound: readonly string[]
  /** Ids of public addresses that stand as resources, by address. */
  readonly reserved: ReadonlyMap<string, string>
  /** Ids of subnets in their own casing, by their lower case. */
  readonly subnets: ReadonlyMap<string, string>
}

export interface BackendHealth {
  readonly address: string
  readonly configuration: string
  readonly isUp: boolean
}

export interface BalancerViews {
  readonly documents: readonly DocumentRecord[]
  /** Ids of frontends, by the id of their public address in lower case. */
  readonly frontends: ReadonlyMap<string, string>
  /** By the rule's id in lower case. */
  readonly health: ReadonlyMap<string, readonly BackendHealth[]>
}

/** The cluster's name as its cloud provider knows it: AKS calls every cluster that. */
const CLUSTER_NAME = 'kubernetes'
const OUTBOUND_POOL = 'aksOutboundBackendPool'
const OUTBOUND_RULE = 'aksOutboundRule'

/** `a` and the service's uid without its dashes, cut to 32 characters: the cloud provider's name for whatever belongs to it. */
function baseOf(id: string): string {
  return `a${id.replaceAll('-', '')}`.slice(0, 32)
}

function frontendNameOf({ id, internal }: StandingLoadBalancer): string {
  return internal?.isNamed === true ? `${baseOf(id)}-${internal.subnetId.split('/').at(-1)}` : baseOf(id)
}

/** The id of the IP configuration that has the service's address. */
export function frontendId(cluster: ClusterRecord, standing: StandingLoadBalancer): string {
  const balancer = balancerId(cluster, standing.internal !== undefined)
  return `${balancer}/frontendIPConfigurations/${frontendNameOf(standing)}`
}

function balancerId(cluster: ClusterRecord, isInternal: boolean): string {
  return ownNetworkId(cluster, 'loadBalancers', isInternal ? `${CLUSTER_NAME}-internal` : CLUSTER_NAME)
}

export function balancerViews(facts: BalancedCluster): BalancerViews {
  const external = facts.standing.filter(({ internal }) => internal === undefined)
  const internal = facts.standing.filter((each) => each.internal !== undefined)
  const made = serviceAddresses(facts, external)
  const frontends = new Map<string, string>()
  for (const each of external) {
    const address = addressIdOf(facts, made, each)
    const first = frontends.get(address.toLowerCase()) ?? frontendId(facts.cluster, each)
    frontends.set(address.toLowerCase(), first)
  }
  for (const id of facts.outbound) frontends.set(id.toLowerCase(), outboundFrontendId(facts.cluster, id))
  const health = new Map<string, readonly BackendHealth[]>()
  for (const each of facts.standing) for (const rule of each.rules) addHealth(health, facts, each, rule)
  const hasExternal = external.length > 0 || facts.outbound.length > 0
  return {
    documents: [
      ...(hasExternal ? [balancer(facts, external, made)] : []),
      ...(internal.length > 0 ? [balancer(facts, internal, made)] : []),
      ...[...made.values()].map((each) => ({
        ...each,
        properties: { ...each.properties, ipConfiguration: { id: frontends.get(each.id.toLowerCase()) } },
      })),
    ],
    frontends,
    health,
  }
}

/** Public addresses that stand as no resource of their own, by address. */
function serviceAddresses(
  { cluster, reserved }: BalancedCluster,
  external: readonly StandingLoadBalancer[],
): ReadonlyMap<string, DocumentRecord> {
  const made = new Map<string, DocumentRecord>()
  for (const { id, address, owner } of external) {
    if (reserved.has(address)) continue
    const service = owner === undefined ? id : `${owner.namespace}/${owner.name}`
    const first = made.get(address)
    if (first !== undefined) {
      const services = `${first.tags!['k8s-azure-service']},${service}`
      made.set(address, { ...first, tags: { ...first.tags, 'k8s-azure-service': services } })
      continue
    }
    const name = `${CLUSTER_NAME}-${baseOf(id)}`
    made.set(address, {
      kind: 'document',
      id: ownNetworkId(cluster, 'publicIPAddresses', name),
      name,
      type: 'Microsoft.Network/publicIPAddresses',
      location: cluster.location,
      tags: { 'k8s-azure-cluster-name': CLUSTER_NAME, 'k8s-azure-service': service },
      sku: { name: 'Standard', tier: 'Regional' },
      properties: {
        ipAddress: address,
        publicIPAddressVersion: 'IPv4',
        publicIPAllocationMethod: 'Static',
        idleTimeoutInMinutes: 4,
        ipTags: [],
      },
    })
  }
  return made
}

function addressIdOf(
  { reserved }: BalancedCluster,
  made: ReadonlyMap<string, DocumentRecord>,
  { address }: StandingLoadBalancer,
): string {
  return reserved.get(address) ?? made.get(address)!.id
}

function outboundFrontendId(cluster: ClusterRecord, addressId: string): string {
  return `${balancerId(cluster, false)}/frontendIPConfigurations/${addressId.split('/').at(-1)}`
}

function balancer(
  facts: BalancedCluster,
  standing: readonly StandingLoadBalancer[],
  made: ReadonlyMap<string, DocumentRecord>,
): DocumentRecord {
  const { cluster } = facts
  const isInternal = standing[0]?.internal !== undefined
  const id = balancerId(cluster, isInternal)
  const outbound = isInternal ? [] : facts.outbound
  const rules = standing.flatMap((each) => each.rules.map((rule) => ({ each, rule, name: ruleName(each, rule) })))
  const refer = (path: string, names: readonly string[]): Json =>
    names.length === 0 ? {} : { [path]: names.map((name) => ({ id: `${id}/${path}/${name}` })) }
  const frontends: readonly ChildDocument[] = [
    ...outbound.map((addressId) => ({
      name: addressId.split('/').at(-1)!,
      properties: {
        privateIPAllocationMethod: 'Dynamic',
        publicIPAddress: { id: addressId },
        ...refer('outboundRules', [OUTBOUND_RULE]),
      },
    })),
    ...standing.map((each) => ({
      name: frontendNameOf(each),
      properties: {
        privateIPAllocationMethod: 'Dynamic',
        ...(each.internal === undefined
          ? { publicIPAddress: { id: addressIdOf(facts, made, each) } }
          : {
              privateIPAddress: each.address,
              privateIPAddressVersion: 'IPv4',
              subnet: { id: facts.subnets.get(each.internal.subnetId.toLowerCase()) ?? each.internal.subnetId },
            }),
        ...refer(
          'loadBalancingRules',
          each.rules.map((rule) => ruleName(each, rule)),
        ),
      },
    })),
  ]
  const nodes = facts.nodes.map(({ configuration }) => ({ id: configuration }))
  const pool = (name: string, references: Json): ChildDocument => ({
    name,
    properties: { backendIPConfigurations: nodes, ...references },
  })
  const profile = objectAt(cluster.properties.networkProfile as Json, 'loadBalancerProfile')
  return {
    kind: 'document',
    id,
    name: id.split('/').at(-1)!,
    type: 'Microsoft.Network/loadBalancers',
    location: cluster.location,
    tags: { 'aks-managed-cluster-name': cluster.name, 'aks-managed-cluster-rg': cluster.id.split('/')[4]! },
    sku: { name: 'Standard', tier: 'Regional' },
    properties: {
      frontendIPConfigurations: frontends,
      backendAddressPools: [
        ...(outbound.length === 0 ? [] : [pool(OUTBOUND_POOL, refer('outboundRules', [OUTBOUND_RULE]))]),
        pool(
          CLUSTER_NAME,
          refer(
            'loadBalancingRules',
            rules.map(({ name }) => name),
          ),
        ),
      ],
      loadBalancingRules: rules.map(({ each, rule, name }) => ({ name, properties: ruleOf(id, each, rule) })),
      probes: rules.flatMap(({ rule: { probe }, name }) =>
        probe === undefined
          ? []
          : [
              {
                name,
                properties: {
                  protocol: probe.protocol,
                  port: probe.port,
                  ...(probe.path === undefined ? {} : { requestPath: probe.path }),
                  intervalInSeconds: probe.intervalSeconds,
                  numberOfProbes: probe.failures,
                  probeThreshold: probe.failures,
                  ...refer('loadBalancingRules', [name]),
                },
              },
            ],
      ),
      inboundNatRules: [],
      outboundRules:
        outbound.length === 0
          ? []
          : [
              {
                name: OUTBOUND_RULE,
                properties: {
                  allocatedOutboundPorts: Number(profile['allocatedOutboundPorts'] ?? 0),
                  protocol: 'All',
                  enableTcpReset: true,
                  idleTimeoutInMinutes: Number(profile['idleTimeoutInMinutes'] ?? 30),
                  backendAddressPool: { id: `${id}/backendAddressPools/${OUTBOUND_POOL}` },
                  ...refer(
                    'frontendIPConfigurations',
                    outbound.map((each) => each.split('/').at(-1)!),
                  ),
                },
              },
            ],
    },
  }
}

function ruleName(standing: StandingLoadBalancer, { protocol, port }: LoadBalancerRule): string {
  return `${frontendNameOf(standing)}-${protocol}-${port}`
}

const protocols = { TCP: 'Tcp', UDP: 'Udp', ALL: 'All' } as const

/** With a node port packets are translated to it; without, they arrive as they were sent, which is a floating IP. */
function ruleOf(balancer: string, standing: StandingLoadBalancer, rule: LoadBalancerRule): Json {
  const name = ruleName(standing, rule)
  const port = rule.backends.find((backend) => backend.port !== undefined)?.port
  const pool = { id: `${balancer}/backendAddressPools/${CLUSTER_NAME}` }
  return {
    frontendIPConfiguration: { id: `${balancer}/frontendIPConfigurations/${frontendNameOf(standing)}` },
    frontendPort: rule.port,
    backendPort: port ?? rule.port,
    enableFloatingIP: port === undefined,
    idleTimeoutInMinutes: rule.idleTimeoutMinutes ?? 4,
    protocol: protocols[rule.protocol],
    enableTcpReset: rule.protocol !== 'UDP',
    loadDistribution: rule.isBySource === true ? 'SourceIP' : 'Default',
    disableOutboundSnat: true,
    backendAddressPool: pool,
    backendAddressPools: [pool],
    ...(rule.probe === undefined ? {} : { probe: { id: `${balancer}/probes/${name}` } }),
  }
}

function addHealth(
  health: Map<string, readonly BackendHealth[]>,
  { cluster, nodes }: BalancedCluster,
  standing: StandingLoadBalancer,
  rule: LoadBalancerRule,
): void {
  const id = `${balancerId(cluster, standing.internal !== undefined)}/loadBalancingRules/${ruleName(standing, rule)}`
  const backends = rule.backends.map((backend) => ({
    address: backend.address,
    configuration: nodes.find(({ address }) => address === backend.address)?.configuration ?? '',
    isUp: standing.isUp(rule, backend),
  }))
  health.set(id.toLowerCase(), backends)
}

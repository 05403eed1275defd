// The cluster that one is in: what it serves, who one is there, what one may do, which namespaces one looks at.

import { createContext, useCallback, useContext, useMemo, useState, type ReactNode } from 'react'
import { allows, likelyNamespaces, type Action, type ResourceRule } from '../model/access.ts'
import { apiPath, resourceId, resourcesOf, type ApiResource, type WireDiscovery } from '../model/resources.ts'
import { callJson, clusterCall } from './api.ts'
import { recall, remember } from './memory.ts'
import type { SessionCluster } from './session.ts'
import { useAsync } from './use-async.ts'

export interface ClusterFacts {
  readonly resources: readonly ApiResource[]
  readonly username: string
  readonly groups: readonly string[]
  readonly version: string
  /** Undefined where one may not list them. */
  readonly namespaces: readonly string[] | undefined
  /** Rules that hold everywhere; undefined where the server cannot tell them all. */
  readonly everywhere: readonly ResourceRule[] | undefined
}

export interface Cluster extends ClusterFacts {
  readonly key: string
  readonly name: string
  /** Empty means all. */
  readonly scope: readonly string[]
  readonly setScope: (scope: readonly string[]) => void
  /** For those who may not list namespaces: the ones they named. */
  readonly known: readonly string[]
  readonly addNamespace: (name: string) => void
  readonly may: (action: Action, namespace?: string) => boolean
  readonly find: (id: string) => ApiResource | undefined
  readonly byKind: (kind: string, apiVersion?: string) => ApiResource | undefined
  /** Lists of a kind in the chosen namespaces. */
  readonly places: (resource: ApiResource) => readonly { readonly cluster: string; readonly path: string }[]
}

/** Nobody has rights in a namespace of this name: what is allowed there is allowed everywhere. */
const NOWHERE = 'aksel-desktop-no-such-namespace'
const DISCOVERY =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList'

async function readFacts(key: string, signal: AbortSignal): Promise<ClusterFacts> {
  const get = <T,>(path: string, accept?: string): Promise<T> =>
    callJson<T>(clusterCall(key, path), { signal, ...(accept === undefined ? {} : { accept }) })
  const [core, groups, review, everywhere, version, namespaces] = await Promise.all([
    get<WireDiscovery>('/api', DISCOVERY),
    get<WireDiscovery>('/apis', DISCOVERY),
    callJson<{
      readonly status: { readonly userInfo: { readonly username: string; readonly groups?: readonly string[] } }
    }>(clusterCall(key, '/apis/authentication.k8s.io/v1/selfsubjectreviews'), {
      method: 'POST',
      signal,
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    }),
    readRules(key, NOWHERE, signal),
    get<{ readonly gitVersion: string }>('/version').catch(() => ({ gitVersion: '' })),
    get<{ readonly items: readonly { readonly metadata: { readonly name: string } }[] }>('/api/v1/namespaces?limit=500')
      .then(({ items }) => items.map(({ metadata }) => metadata.name))
      .catch(() => undefined),
  ])
  return {
    resources: resourcesOf([core, groups]),
    username: review.status.userInfo.username,
    groups: review.status.userInfo.groups ?? [],
    everywhere,
    version: version.gitVersion,
    namespaces,
  }
}

async function readRules(
  key: string,
  namespace: string,
  signal: AbortSignal,
): Promise<readonly ResourceRule[] | undefined> {
  const { status } = await callJson<{
    readonly status: { readonly resourceRules?: readonly ResourceRule[] | null; readonly incomplete?: boolean }
  }>(clusterCall(key, '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'), {
    method: 'POST',
    signal,
    body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } },
  })
  const rules = status.resourceRules ?? []
  // Some authorizers cannot list what they allow: then only asking tells.
  return status.incomplete === true && rules.length < 3 ? undefined : rules
}

const context = createContext<Cluster | undefined>(undefined)

export function useCluster(): Cluster {
  const cluster = useContext(context)
  if (cluster === undefined) throw new Error('This part is shown outside of a cluster')
  return cluster
}

export interface ClusterProviderProps {
  readonly of: SessionCluster
  readonly children: ReactNode
  readonly otherwise: (state: { readonly error: unknown; readonly again: () => void } | undefined) => ReactNode
}

export function ClusterProvider({ of, children, otherwise }: ClusterProviderProps) {
  const facts = useAsync(of.key, (signal) => readFacts(of.key, signal))
  const [chosen, setChosen] = useState<readonly string[] | undefined>(() => recall(`scope.${of.key}`))
  const [added, setAdded] = useState<readonly string[]>(() => recall(`namespaces.${of.key}`) ?? [])
  const { value } = facts
  const known = useMemo(
    () => value?.namespaces ?? likelyNamespaces(value?.username ?? '', of.namespace, added),
    [value, of.namespace, added],
  )
  // Who may see all namespaces begins with all; others with their own.
  const seesAll =
    value?.namespaces !== undefined &&
    (value.everywhere === undefined || allows(value.everywhere, { verb: 'list', group: '', resource: 'pods' }))
  const scope = useMemo(() => {
    const still = (chosen ?? []).filter((name) => known.includes(name))
    return still.length > 0 ? still : seesAll ? [] : known.slice(0, 8)
  }, [chosen, known, seesAll])
  const ruled = value === undefined ? '' : `${of.key} ${scope.join()}`
  const rules = useAsync(ruled, async (signal) =>
    ruled === '' ? [] : Promise.all(scope.map(async (each) => [each, await readRules(of.key, each, signal)] as const)),
  )
  const setScope = useCallback(
    (next: readonly string[]) => {
      setChosen(next)
      remember(`scope.${of.key}`, next)
    },
    [of.key],
  )
  const cluster = useMemo((): Cluster | undefined => {
    if (value === undefined || rules.value === undefined) return undefined
    const byId = new Map(value.resources.map((each) => [resourceId(each), each]))
    const inNamespaces = new Map(rules.value)
    const may = (action: Action, namespace?: string): boolean => {
      if (value.everywhere === undefined || allows(value.everywhere, action)) return true
      const asked = namespace === undefined ? [...inNamespaces.values()] : [inNamespaces.get(namespace)]
      return asked.some((each) => each !== undefined && allows(each, action))
    }
    return {
      ...value,
      key: of.key,
      name: of.name,
      scope,
      setScope,
      known,
      addNamespace: (name) => {
        const next = [...new Set([...added, name])]
        setAdded(next)
        remember(`namespaces.${of.key}`, next)
        setScope([name])
      },
      may,
      find: (id) => byId.get(id),
      byKind: (kind, apiVersion) => {
        const group = apiVersion === undefined ? undefined : apiVersion.includes('/') ? apiVersion.split('/')[0] : ''
        return value.resources.find((each) => each.kind === kind && (group === undefined || each.group === group))
      },
      places: (resource) =>
        resource.namespaced && scope.length > 0
          ? scope.map((namespace) => ({ cluster: of.key, path: apiPath(resource, { namespace }) }))
          : [{ cluster: of.key, path: apiPath(resource) }],
    }
  }, [value, rules.value, of.key, of.name, scope, setScope, known, added])
  const error = facts.error ?? rules.error
  if (cluster === undefined) return otherwise(error === undefined ? undefined : { error, again: facts.again })
  return <context.Provider value={cluster}>{children}</context.Provider>
}

// The kinds that the add-on reads, as far as it reads them, and its names.

import type { KubernetesObject, ResourceType } from '@aksel/api/resource'
import type { LabelSelector } from '@aksel/api/types/meta-v1'
import type { Ingress, IngressClass } from '@aksel/api/types/networking-v1'

export const INGRESS_CLASS = 'webapprouting.kubernetes.azure.com'
export const INGRESS_CONTROLLER = 'webapprouting.kubernetes.azure.com/nginx'
export const GATEWAY_CLASS = 'approuting-istio'
export const GATEWAY_CONTROLLER = 'webapprouting.kubernetes.azure.com/gateway-controller'
export const NAMESPACE = 'app-routing-system'
/** The service account that the loop acts as. */
export const ACCOUNT = 'webapprouting'

export type { Ingress, IngressClass }

const networking = { group: 'networking.k8s.io', version: 'v1' }
const gateway = { group: 'gateway.networking.k8s.io', version: 'v1' }

export const ingresses: ResourceType<Ingress> = {
  ...networking,
  kind: 'Ingress',
  plural: 'ingresses',
  namespaced: true,
}
export const ingressClasses: ResourceType<IngressClass> = {
  ...networking,
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
}
export const gatewayClasses: ResourceType<GatewayClass> = {
  ...gateway,
  kind: 'GatewayClass',
  plural: 'gatewayclasses',
  namespaced: false,
}
export const gateways: ResourceType<Gateway> = { ...gateway, kind: 'Gateway', plural: 'gateways', namespaced: true }
export const httpRoutes: ResourceType<HttpRoute> = {
  ...gateway,
  kind: 'HTTPRoute',
  plural: 'httproutes',
  namespaced: true,
}
export const referenceGrants: ResourceType<ReferenceGrant> = {
  ...gateway,
  version: 'v1beta1',
  kind: 'ReferenceGrant',
  plural: 'referencegrants',
  namespaced: true,
}

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  readonly observedGeneration?: number
  readonly lastTransitionTime?: string
}

export interface GatewayClass extends KubernetesObject {
  readonly spec: { readonly controllerName: string; readonly description?: string }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

export interface ObjectReference {
  readonly group?: string
  readonly kind?: string
  readonly name: string
  readonly namespace?: string
}

export interface GatewayListener {
  readonly name: string
  readonly hostname?: string
  readonly port: number
  readonly protocol: string
  readonly tls?: { readonly mode?: string; readonly certificateRefs?: readonly ObjectReference[] }
  readonly allowedRoutes?: {
    readonly namespaces?: { readonly from?: 'Same' | 'All' | 'Selector'; readonly selector?: LabelSelector }
  }
}

export interface Gateway extends KubernetesObject {
  readonly spec: { readonly gatewayClassName: string; readonly listeners: readonly GatewayListener[] }
  readonly status?: {
    readonly addresses?: readonly { readonly type: string; readonly value: string }[]
    readonly conditions?: readonly Condition[]
    readonly listeners?: readonly {
      readonly name: string
      readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[]
      readonly attachedRoutes: number
      readonly conditions: readonly Condition[]
    }[]
  }
}

export interface ParentReference extends ObjectReference {
  readonly sectionName?: string
  readonly port?: number
}

export interface NamedMatch {
  readonly type?: 'Exact' | 'RegularExpression'
  readonly name: string
  readonly value: string
}

export interface HttpRouteFilter {
  readonly type: string
  readonly requestHeaderModifier?: HeaderModifier
  readonly responseHeaderModifier?: HeaderModifier
  readonly requestRedirect?: {
    readonly scheme?: string
    readonly hostname?: string
    readonly port?: number
    readonly path?: PathModifier
    readonly statusCode?: number
  }
  readonly urlRewrite?: { readonly hostname?: string; readonly path?: PathModifier }
}

export interface HeaderModifier {
  readonly set?: readonly { readonly name: string; readonly value: string }[]
  readonly add?: readonly { readonly name: string; readonly value: string }[]
  readonly remove?: readonly string[]
}

export interface PathModifier {
  readonly type: 'ReplaceFullPath' | 'ReplacePrefixMatch'
  readonly replaceFullPath?: string
  readonly replacePrefixMatch?: string
}

export interface HttpRouteRule {
  readonly matches?: readonly {
    readonly path?: { readonly type?: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value?: string }
    readonly headers?: readonly NamedMatch[]
    readonly queryParams?: readonly NamedMatch[]
    readonly method?: string
  }[]
  readonly filters?: readonly HttpRouteFilter[]
  readonly backendRefs?: readonly (ObjectReference & { readonly port?: number; readonly weight?: number })[]
}

export interface HttpRoute extends KubernetesObject {
  readonly spec: {
    readonly parentRefs?: readonly ParentReference[]
    readonly hostnames?: readonly string[]
    readonly rules?: readonly HttpRouteRule[]
  }
  readonly status?: { readonly parents?: readonly RouteParentStatus[] }
}

export interface RouteParentStatus {
  readonly parentRef: ParentReference
  readonly controllerName: string
  readonly conditions: readonly Condition[]
}

export interface ReferenceGrant extends KubernetesObject {
  readonly spec: {
    readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[]
    readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[]
  }
}

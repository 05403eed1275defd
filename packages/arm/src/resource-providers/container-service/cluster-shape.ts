// The types of a managed cluster's properties, as the newest stable version and Azure's own SDK have them. What is not listed is
// kept as it comes.

import { poolShape } from './pool-shape.ts'
import type { Shape } from './shape.ts'
import { fields, list, map } from './shape-parts.ts'

export const clusterShape: Shape = fields({
  kubernetesVersion: 'string',
  dnsPrefix: 'string',
  fqdnSubdomain: 'string',
  agentPoolProfiles: list(poolShape),
  linuxProfile: fields({
    adminUsername: 'string',
    ssh: fields({
      publicKeys: list(
        fields({
          keyData: 'string',
        }),
      ),
    }),
  }),
  windowsProfile: fields({
    adminUsername: 'string',
    adminPassword: 'string',
    licenseType: 'string',
    enableCSIProxy: 'bool',
    gmsaProfile: fields({
      enabled: 'bool',
      dnsServer: 'string',
      rootDomainName: 'string',
    }),
  }),
  servicePrincipalProfile: fields({
    clientId: 'string',
    secret: 'string',
  }),
  addonProfiles: map(
    fields({
      enabled: 'bool',
      config: map('string'),
    }),
  ),
  podIdentityProfile: fields({
    enabled: 'bool',
    allowNetworkPluginKubenet: 'bool',
    userAssignedIdentities: list(
      fields({
        name: 'string',
        namespace: 'string',
        bindingSelector: 'string',
        identity: fields({
          resourceId: 'string',
          clientId: 'string',
          objectId: 'string',
        }),
      }),
    ),
    userAssignedIdentityExceptions: list(
      fields({
        name: 'string',
        namespace: 'string',
        podLabels: map('string'),
      }),
    ),
  }),
  oidcIssuerProfile: fields({
    enabled: 'bool',
  }),
  nodeResourceGroup: 'string',
  nodeResourceGroupProfile: fields({
    restrictionLevel: 'string',
  }),
  enableRBAC: 'bool',
  supportPlan: 'string',
  networkProfile: fields({
    networkPlugin: 'string',
    networkPluginMode: 'string',
    networkPolicy: 'string',
    networkMode: 'string',
    networkDataplane: 'string',
    advancedNetworking: fields({
      enabled: 'bool',
      observability: fields({
        enabled: 'bool',
      }),
      security: fields({
        enabled: 'bool',
        advancedNetworkPolicies: 'string',
        transitEncryption: fields({
          type: 'string',
        }),
      }),
      performance: fields({
        accelerationMode: 'string',
      }),
    }),
    podCidr: 'string',
    podLinkLocalAccess: 'string',
    serviceCidr: 'string',
    dnsServiceIP: 'string',
    outboundType: 'string',
    loadBalancerSku: 'string',
    loadBalancerProfile: fields({
      managedOutboundIPs: fields({
        count: 'int',
        countIPv6: 'int',
      }),
      outboundIPPrefixes: fields({
        publicIPPrefixes: list(
          fields({
            id: 'string',
          }),
        ),
      }),
      outboundIPs: fields({
        publicIPs: list(
          fields({
            id: 'string',
          }),
        ),
      }),
      allocatedOutboundPorts: 'int',
      idleTimeoutInMinutes: 'int',
      enableMultipleStandardLoadBalancers: 'bool',
      backendPoolType: 'string',
    }),
    natGatewayProfile: fields({
      sku: 'string',
      managedOutboundIPProfile: fields({
        count: 'int',
        countIPv6: 'int',
      }),
      outboundIPPrefixes: fields({
        publicIPPrefixes: list('string'),
      }),
      outboundIPs: fields({
        publicIPs: list('string'),
      }),
      idleTimeoutInMinutes: 'int',
    }),
    staticEgressGatewayProfile: fields({
      enabled: 'bool',
    }),
    podCidrs: list('string'),
    serviceCidrs: list('string'),
    ipFamilies: list('string'),
  }),
  aadProfile: fields({
    managed: 'bool',
    enableAzureRBAC: 'bool',
    adminGroupObjectIDs: list('string'),
    clientAppID: 'string',
    serverAppID: 'string',
    serverAppSecret: 'string',
    tenantID: 'string',
  }),
  autoUpgradeProfile: fields({
    upgradeChannel: 'string',
    nodeOSUpgradeChannel: 'string',
  }),
  upgradeSettings: fields({
    overrideSettings: fields({
      forceUpgrade: 'bool',
      until: 'string',
    }),
  }),
  autoScalerProfile: fields({
    'balance-similar-node-groups': 'string',
    'daemonset-eviction-for-empty-nodes': 'bool',
    'daemonset-eviction-for-occupied-nodes': 'bool',
    'ignore-daemonsets-utilization': 'bool',
    expander: 'string',
    'max-empty-bulk-delete': 'string',
    'max-graceful-termination-sec': 'string',
    'max-node-provision-time': 'string',
    'max-total-unready-percentage': 'string',
    'new-pod-scale-up-delay': 'string',
    'ok-total-unready-count': 'string',
    'scan-interval': 'string',
    'scale-down-delay-after-add': 'string',
    'scale-down-delay-after-delete': 'string',
    'scale-down-delay-after-failure': 'string',
    'scale-down-unneeded-time': 'string',
    'scale-down-unready-time': 'string',
    'scale-down-utilization-threshold': 'string',
    'skip-nodes-with-local-storage': 'string',
    'skip-nodes-with-system-pods': 'string',
  }),
  apiServerAccessProfile: fields({
    authorizedIPRanges: list('string'),
    enablePrivateCluster: 'bool',
    privateDNSZone: 'string',
    enablePrivateClusterPublicFQDN: 'bool',
    disableRunCommand: 'bool',
    enableVnetIntegration: 'bool',
    subnetId: 'string',
  }),
  diskEncryptionSetID: 'string',
  identityProfile: map(
    fields({
      resourceId: 'string',
      clientId: 'string',
      objectId: 'string',
    }),
  ),
  privateLinkResources: list(
    fields({
      id: 'string',
      name: 'string',
      type: 'string',
      groupId: 'string',
      requiredMembers: list('string'),
    }),
  ),
  disableLocalAccounts: 'bool',
  httpProxyConfig: fields({
    httpProxy: 'string',
    httpsProxy: 'string',
    noProxy: list('string'),
    trustedCa: 'string',
    enabled: 'bool',
  }),
  securityProfile: fields({
    defender: fields({
      logAnalyticsWorkspaceResourceId: 'string',
      securityMonitoring: fields({
        enabled: 'bool',
      }),
      securityGating: fields({
        enabled: 'bool',
        identities: list(
          fields({
            azureContainerRegistry: 'string',
            identity: fields({
              resourceId: 'string',
              clientId: 'string',
              objectId: 'string',
            }),
          }),
        ),
        allowSecretAccess: 'bool',
      }),
    }),
    azureKeyVaultKms: fields({
      enabled: 'bool',
      keyId: 'string',
      keyVaultNetworkAccess: 'string',
      keyVaultResourceId: 'string',
    }),
    workloadIdentity: fields({
      enabled: 'bool',
    }),
    imageCleaner: fields({
      enabled: 'bool',
      intervalHours: 'int',
    }),
    customCATrustCertificates: list('string'),
  }),
  storageProfile: fields({
    diskCSIDriver: fields({
      enabled: 'bool',
    }),
    fileCSIDriver: fields({
      enabled: 'bool',
    }),
    snapshotController: fields({
      enabled: 'bool',
    }),
    blobCSIDriver: fields({
      enabled: 'bool',
    }),
  }),
  ingressProfile: fields({
    webAppRouting: fields({
      enabled: 'bool',
      gatewayAPIImplementations: fields({
        appRoutingIstio: fields({
          mode: 'string',
        }),
      }),
      dnsZoneResourceIds: list('string'),
      nginx: fields({
        defaultIngressControllerType: 'string',
      }),
    }),
    gatewayAPI: fields({
      installation: 'string',
    }),
  }),
  publicNetworkAccess: 'string',
  workloadAutoScalerProfile: fields({
    keda: fields({
      enabled: 'bool',
    }),
    verticalPodAutoscaler: fields({
      enabled: 'bool',
    }),
  }),
  azureMonitorProfile: fields({
    metrics: fields({
      enabled: 'bool',
      kubeStateMetrics: fields({
        metricLabelsAllowlist: 'string',
        metricAnnotationsAllowList: 'string',
      }),
      controlPlane: fields({
        enabled: 'bool',
      }),
    }),
    containerInsights: fields({
      enabled: 'bool',
      logAnalyticsWorkspaceResourceId: 'string',
      syslogPort: 'int',
      disablePrometheusMetricsScraping: 'bool',
      containerNetworkLogs: 'string',
    }),
    appMonitoring: fields({
      autoInstrumentation: fields({
        enabled: 'bool',
      }),
      openTelemetryMetrics: fields({
        enabled: 'bool',
        httpPort: 'int',
        grpcPort: 'int',
      }),
      openTelemetryLogsAndTraces: fields({
        enabled: 'bool',
        httpPort: 'int',
        grpcPort: 'int',
      }),
    }),
  }),
  serviceMeshProfile: fields({
    mode: 'string',
    istio: fields({
      components: fields({
        ingressGateways: list(
          fields({
            mode: 'string',
            enabled: 'bool',
          }),
        ),
        egressGateways: list(
          fields({
            enabled: 'bool',
            name: 'string',
            namespace: 'string',
            gatewayConfigurationName: 'string',
          }),
        ),
        proxyRedirectionMechanism: 'string',
      }),
      certificateAuthority: fields({
        plugin: fields({
          keyVaultId: 'string',
          certObjectName: 'string',
          keyObjectName: 'string',
          rootCertObjectName: 'string',
          certChainObjectName: 'string',
        }),
      }),
      revisions: list('string'),
    }),
  }),
  metricsProfile: fields({
    costAnalysis: fields({
      enabled: 'bool',
    }),
  }),
  nodeProvisioningProfile: fields({
    mode: 'string',
    defaultNodePools: 'string',
  }),
  bootstrapProfile: fields({
    artifactSource: 'string',
    containerRegistryId: 'string',
  }),
  aiToolchainOperatorProfile: fields({
    enabled: 'bool',
  }),
  schedulerProfile: fields({
    upstream: fields({
      schedulerConfigMode: 'string',
    }),
  }),
  hostedSystemProfile: fields({
    enabled: 'bool',
    systemNodeSubnetID: 'string',
    nodeSubnetID: 'string',
  }),
  status: 'any',
})

// Where network plug-ins of third parties meet a node: their manifests mount these folders. Several machines share a host here, so
// each has its own, below its agent's folder.

/** What a node calls them, and where they lie. */
export const networkPluginFolders = {
  '/etc/cni': 'cni/etc',
  '/opt/cni': 'cni/opt',
  '/var/lib/cni': 'cni/var',
} as const

/** Configurations, which containerd reads. */
export const PLUGIN_CONFIGURATIONS = 'cni/etc/net.d'
/** Programs, as users bring them. */
export const PLUGIN_PROGRAMS = 'cni/opt/bin'

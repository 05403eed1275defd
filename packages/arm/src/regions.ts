// The places a resource may be put. They are names here: everything runs where the server runs.

export interface Region {
  readonly name: string
  readonly displayName: string
  readonly geography: string
}

const region = (name: string, displayName: string, geography: string): Region => ({ name, displayName, geography })

export const regions: readonly Region[] = [
  region('eastus', 'East US', 'US'),
  region('eastus2', 'East US 2', 'US'),
  region('centralus', 'Central US', 'US'),
  region('northcentralus', 'North Central US', 'US'),
  region('southcentralus', 'South Central US', 'US'),
  region('westcentralus', 'West Central US', 'US'),
  region('westus', 'West US', 'US'),
  region('westus2', 'West US 2', 'US'),
  region('westus3', 'West US 3', 'US'),
  region('canadacentral', 'Canada Central', 'Canada'),
  region('canadaeast', 'Canada East', 'Canada'),
  region('brazilsouth', 'Brazil South', 'South America'),
  region('mexicocentral', 'Mexico Central', 'Mexico'),
  region('northeurope', 'North Europe', 'Europe'),
  region('westeurope', 'West Europe', 'Europe'),
  region('francecentral', 'France Central', 'Europe'),
  region('germanywestcentral', 'Germany West Central', 'Europe'),
  region('italynorth', 'Italy North', 'Europe'),
  region('norwayeast', 'Norway East', 'Europe'),
  region('polandcentral', 'Poland Central', 'Europe'),
  region('spaincentral', 'Spain Central', 'Europe'),
  region('swedencentral', 'Sweden Central', 'Europe'),
  region('switzerlandnorth', 'Switzerland North', 'Europe'),
  region('uksouth', 'UK South', 'Europe'),
  region('ukwest', 'UK West', 'Europe'),
  region('australiaeast', 'Australia East', 'Asia Pacific'),
  region('australiasoutheast', 'Australia Southeast', 'Asia Pacific'),
  region('centralindia', 'Central India', 'Asia Pacific'),
  region('southindia', 'South India', 'Asia Pacific'),
  region('eastasia', 'East Asia', 'Asia Pacific'),
  region('southeastasia', 'Southeast Asia', 'Asia Pacific'),
  region('japaneast', 'Japan East', 'Asia Pacific'),
  region('japanwest', 'Japan West', 'Asia Pacific'),
  region('koreacentral', 'Korea Central', 'Asia Pacific'),
  region('newzealandnorth', 'New Zealand North', 'Asia Pacific'),
  region('israelcentral', 'Israel Central', 'Middle East'),
  region('qatarcentral', 'Qatar Central', 'Middle East'),
  region('uaenorth', 'UAE North', 'Middle East'),
  region('southafricanorth', 'South Africa North', 'Africa'),
]

export function isRegion(name: string): boolean {
  return regions.some((known) => known.name === name)
}

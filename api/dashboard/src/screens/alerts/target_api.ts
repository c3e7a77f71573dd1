// The calls about whom alerts are told to: an organisation's own targets, or with null the platform's.
import { api, data, type Schemas } from "../../api/client";

export type Target = Schemas["TargetItem"];

const OF_ORGANIZATION = "/api/organizations/{organization}/notifications";
const OF_PLATFORM = "/api/admin/paas/notifications";

export function makeTarget(organization: string | null, body: Schemas["WantedTarget"]) {
  return organization
    ? data(api.POST(OF_ORGANIZATION, { params: { path: { organization } }, body }))
    : data(api.POST(OF_PLATFORM, { body }));
}

export function changeTarget(organization: string | null, id: string, body: Schemas["TargetChange"]) {
  return organization
    ? data(api.PATCH(`${OF_ORGANIZATION}/{id}`, { params: { path: { organization, id } }, body }))
    : data(api.PATCH(`${OF_PLATFORM}/{id}`, { params: { path: { id } }, body }));
}

export function removeTarget(organization: string | null, id: string) {
  return organization
    ? data(api.DELETE(`${OF_ORGANIZATION}/{id}`, { params: { path: { organization, id } } }))
    : data(api.DELETE(`${OF_PLATFORM}/{id}`, { params: { path: { id } } }));
}

export function tryTarget(organization: string | null, id: string) {
  return organization
    ? data(api.POST(`${OF_ORGANIZATION}/{id}/test`, { params: { path: { organization, id } } }))
    : data(api.POST(`${OF_PLATFORM}/{id}/test`, { params: { path: { id } } }));
}

export function renewSecret(organization: string | null, id: string) {
  return organization
    ? data(api.POST(`${OF_ORGANIZATION}/{id}/rotate`, { params: { path: { organization, id } } }))
    : data(api.POST(`${OF_PLATFORM}/{id}/rotate`, { params: { path: { id } } }));
}

// Every change that was made on the platform.
import { adminAuditQuery } from "../../api/queries";
import { AuditLog } from "../../parts/audit_log";

export function AdminAudit() {
  return <AuditLog of={adminAuditQuery} />;
}

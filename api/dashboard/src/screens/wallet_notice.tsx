// Tells on every screen when the wallet of an organisation runs out or is empty, and leads to what used it up.
import { useQueries, useQuery } from "@tanstack/react-query";
import { meQuery, walletQuery } from "../api/queries";
import { LinkTo } from "../parts/link";

/** Of whoever is in more, the others tell it in Usage: each is a question to the API. */
const MOST = 5;

export function WalletNotice() {
  const organizations = useQuery(meQuery).data?.organizations.slice(0, MOST) ?? [];
  const wallets = useQueries({ queries: organizations.map((one) => walletQuery(one.id)) });
  const warned = organizations.flatMap(({ name }, index) => {
    const warning = wallets[index]?.data?.warning;
    return warning ? [{ name, warning }] : [];
  });
  if (warned.length === 0) return null;
  return (
    <aside className="notice" aria-label="Wallets">
      {warned.map(({ name, warning }) => (
        <p key={name} className="break">
          <bdi>{name}</bdi>: {warning}{" "}
          <LinkTo to="/usage" search={{ organization: name }} c="inherit" underline="always">
            See its usage
          </LinkTo>
        </p>
      ))}
    </aside>
  );
}

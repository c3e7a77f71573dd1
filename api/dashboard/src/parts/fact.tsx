// A number or a word that matters, in a list of such (`dl`).
export function Fact({ title, value, more }: { title: string; value: string; more?: string }) {
  return (
    <div className="card">
      <dt>{title}</dt>
      <dd>{value}</dd>
      {more ? <dd className="card-more">{more}</dd> : null}
    </div>
  );
}

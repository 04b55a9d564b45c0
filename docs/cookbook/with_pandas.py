"""Sum up memory and disk by package with pandas.

pip install pandas
python with_pandas.py
"""

import pandas as pd

from smartdc import DataCenter

machines = pd.DataFrame([dict(machine) for machine in DataCenter().machines()])
machines["GiB"] = machines["memory"] / 1024
machines["disk GiB"] = machines["disk"] / 1024
by_package = machines.groupby("package").agg({"id": "count", "GiB": "sum", "disk GiB": "sum"})
print(
    by_package.rename(columns={"id": "machines"})
    .sort_values("GiB", ascending=False)
    .to_string()
)

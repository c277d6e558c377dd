"""scikit-learn's parallel parts through joblib on a cluster: the same results as without."""

import os

try:
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.svm import SVC
except ImportError as error:
    # Of its own requirements: where packages cannot be had, they are not installed (./dev setup).
    print(f"skipped: {error}")
    raise SystemExit(77) from None
import joblib
import numpy as np
import ray
from ray.util.joblib import register_ray


def search(data, target):
    """(best parameters, scores): a grid search, and a cross-validation of a forest."""
    grid = GridSearchCV(SVC(), {"C": [0.1, 1, 10], "gamma": [0.01, 0.1]}, cv=3, n_jobs=2).fit(data, target)
    forest = RandomForestClassifier(n_estimators=10, random_state=0)
    return grid.best_params_, grid.cv_results_["mean_test_score"], cross_val_score(forest, data, target, cv=4, n_jobs=2)


def main():
    ray.init(num_cpus=2)
    register_ray()
    data, target = make_classification(n_samples=300, n_features=10, random_state=0)
    with joblib.parallel_backend("threading"):
        expected = search(data, target)
    with joblib.parallel_backend("ray"):
        pids = set(joblib.Parallel(n_jobs=2)(joblib.delayed(os.getpid)() for _ in range(10)))
        found = search(data, target)
    assert os.getpid() not in pids, "joblib's jobs ran in the driver"
    assert found[0] == expected[0]
    assert np.allclose(found[1], expected[1]) and np.allclose(found[2], expected[2])
    print(f"best of the grid: {found[0]}; the forest's accuracy: {found[2].mean():.2f}")


if __name__ == "__main__":
    main()

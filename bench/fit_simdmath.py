#!/usr/bin/env python3
"""Fits the polynomials of src/Nano.Tensor/Simd/SimdMath.cs and prints their coefficients.

Run it with any Python 3, no packages:  python3 bench/fit_simdmath.py

Each polynomial P is the one of its degree that makes the largest |weight(x) * (target(x) - P(x))| smallest on its interval,
found by Remez exchange on a dense Chebyshev grid; the weights turn an error of P into a relative error of the function
computed from it. Coefficients must be float32, so they are rounded one at a time from the constant term up, and after each
rounding the rest are fitted again around it: later coefficients make up for what the earlier ones lost.
The linear systems are solved in exact rationals, so only the target functions carry (double precision) rounding errors.
"""
import math
import struct
from fractions import Fraction

LN2 = math.log(2.0)
GRID = 1500


def float32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def horner(coefficients, x):
    value = 0.0
    for c in reversed(coefficients):
        value = value * x + c
    return value


def solve(matrix, right):
    """Gaussian elimination; exact, because the entries are Fractions."""
    n = len(right)
    rows = [row + [value] for row, value in zip(matrix, right)]
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, n):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i])]
    x = [Fraction(0)] * n
    for i in reversed(range(n)):
        x[i] = (rows[i][n] - sum(rows[i][j] * x[j] for j in range(i + 1, n))) / rows[i][i]
    return x


def extrema(errors, level, count):
    """Indices of `count` errors of alternating sign: the largest of each run of one sign, the smallest ends dropped.
    Errors below the level, which the old nodes already reach, are no candidates: so the level rises until it is the maximum."""
    picks = []
    for i, e in enumerate(errors):
        if abs(e) < abs(level) * 0.99:
            continue
        if picks and (e > 0) == (errors[picks[-1]] > 0):
            if abs(e) > abs(errors[picks[-1]]):
                picks[-1] = i
        else:
            picks.append(i)
    while len(picks) > count:
        picks.pop(0 if abs(errors[picks[0]]) < abs(errors[picks[-1]]) else -1)
    return picks


def remez(target, weight, xs, fixed, degree):
    """Coefficients fixed + fitted, and the largest weighted error on the grid xs. What is left of the target after the fixed
    terms is divided by x^first, and the weight multiplied by it, so that an ordinary polynomial remains to be fitted."""
    first, free = len(fixed), degree + 1 - len(fixed)
    values = [(target(x) - horner(fixed, x)) / x**first for x in xs]
    weights = [abs(weight(x) * x**first) for x in xs]
    nodes = [(len(xs) - 1) * k // free for k in range(free + 1)]
    for _ in range(40):
        matrix = [[Fraction(xs[i]) ** k for k in range(free)] + [(-1) ** k / Fraction(weights[i])]
                  for k, i in enumerate(nodes)]
        *fitted, level = solve(matrix, [Fraction(values[i]) for i in nodes])
        fitted = [float(c) for c in fitted]
        errors = [w * (v - horner(fitted, x)) for w, v, x in zip(weights, values, xs)]
        worst = max(map(abs, errors))
        picks = extrema(errors, float(level), free + 1)
        if worst <= abs(level) * 1.001 or len(picks) <= free:
            break
        nodes = picks
    return fixed + fitted, worst


def fit(name, target, weight, low, high, degree):
    """Prints float32 coefficients, constant term first, and the largest weighted error they leave in exact arithmetic."""
    middle, half = (low + high) / 2, (high - low) / 2
    xs = [middle - half * math.cos(math.pi * (k + 0.5) / GRID) for k in range(GRID)]
    coefficients = []
    for k in range(degree + 1):
        fitted, level = remez(target, weight, xs, coefficients, degree)
        coefficients.append(float32(fitted[k]))
        if k == 0:
            ideal = level
    worst = max(abs(weight(x) * (target(x) - horner(coefficients, x))) for x in xs)
    print(f"{name}: degree {degree} on [{low:.4g}, {high:.4g}], largest relative error {worst:.2e} ({ideal:.2e} before rounding)")
    for k, c in enumerate(coefficients):
        print(f"  c{k} = {c:.9g}f")


def expm1_tail(r):
    """(e^r - 1 - r) / r^2, by its series where the closed form would cancel."""
    return (math.expm1(r) - r) / (r * r) if abs(r) > 1e-2 else sum(r**k / math.factorial(k + 2) for k in range(8))


def log1p_tail(f):
    """(log(1 + f) - f) / f^2, by its series where the closed form would cancel."""
    return (math.log1p(f) - f) / (f * f) if abs(f) > 1e-2 else sum((-1) ** (k + 1) * f**k / (k + 2) for k in range(10))


def log_erfc_ratio(b):
    """log(1 + erf(b)) / b - 1 for b < 0, that is log(erfc(|b|)) / b - 1."""
    return (math.log1p(math.erf(b)) if b > -1 else math.log(math.erfc(-b))) / b - 1


if __name__ == "__main__":
    # Degrees: the lowest that keep the errors measured by SimdMathTests within the bounds that SimdMath states.
    fit("Exp, Tanh, Erf, Sigmoid: (e^r - 1 - r) / r^2", expm1_tail, lambda r: r * r / math.expm1(r), -LN2 / 2, LN2 / 2, 4)
    fit("Log: (log(1 + f) - f) / f^2", log1p_tail, lambda f: f * f / math.log1p(f), -0.25, 0.5, 7)
    # erf(b) = e^(b + b P(b)) - 1, so an error in P moves erf by erfc(|b|) b times as much. Beyond -3.925 float32 has erf = -1.
    fit("Erf: log(1 + erf(b)) / b - 1", log_erfc_ratio, lambda b: math.erfc(-b) * b / math.erf(b), -3.925, 0.0, 7)

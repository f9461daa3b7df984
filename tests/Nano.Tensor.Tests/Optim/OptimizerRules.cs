namespace Nano.Tests;

/// <summary>The published update rules in double precision, one parameter at a time, written from the papers.</summary>
static class OptimizerRules
{
    /// <summary>Moves p along g; t counts from 1, wd is 0 where a parameter does not decay.</summary>
    public delegate void Rule(int t, double[] p, double[] g, double wd);

    /// <summary>A fresh rule for one parameter.</summary>
    public static Rule New(OptimizerOptions o, double lr, string parameter, Shape shape)
    {
        double[] a = new double[shape.Length], b = new double[shape.Length];
        return o.Name switch
        {
            "sgd" => Each((t, i, p, g, wd) =>
            {
                g += wd * p;
                a[i] = (o.Momentum * a[i]) + g;
                return p - (lr * (o.Nesterov ? g + (o.Momentum * a[i]) : a[i]));
            }),
            "adagrad" => Each((t, i, p, g, wd) =>
            {
                g += wd * p;
                a[i] += g * g;
                return p - (lr * g / (Math.Sqrt(a[i]) + o.Epsilon));
            }),
            "rmsprop" => Each((t, i, p, g, wd) =>
            {
                g += wd * p;
                a[i] = (o.Beta2 * a[i]) + ((1 - o.Beta2) * g * g);
                return p - (lr * g / (Math.Sqrt(a[i]) + o.Epsilon));
            }),
            "adam" => Each((t, i, p, g, wd) => p - (lr * AdamDirection(o, t, i, g + (wd * p), a, b))),
            "adamw" or "adamw8bit" => Each((t, i, p, g, wd) => p - (lr * (AdamDirection(o, t, i, g, a, b) + (wd * p)))),
            "lion" => Each((t, i, p, g, wd) =>
            {
                double c = (o.Beta1 * a[i]) + ((1 - o.Beta1) * g);
                a[i] = (o.Beta2 * a[i]) + ((1 - o.Beta2) * g);
                return p - (lr * (Math.Sign(c) + (wd * p)));
            }),
            "lamb" => Lamb,
            "adafactor" => Adafactor,
            "muon" when shape.Rank == 2 && parameter.StartsWith("h.", StringComparison.Ordinal) => Muon,
            "muon" => New(o with { Name = "adamw" }, lr, parameter, shape),
            _ => throw new ArgumentException(o.Name),
        };

        void Lamb(int t, double[] p, double[] g, double wd)
        {
            double[] r = [.. p.Select((_, i) => AdamDirection(o, t, i, g[i], a, b) + (wd * p[i]))];
            double trust = shape.Rank >= 2 ? Norm(p) / Norm(r) : 1;
            for (int i = 0; i < p.Length; i++)
                p[i] -= lr * trust * r[i];
        }

        void Adafactor(int t, double[] p, double[] g, double wd)
        {
            double keep = 1 - Math.Pow(t, -0.8), scale = Math.Max(1e-3, Norm(p) / Math.Sqrt(p.Length));
            double[] v = shape.Rank >= 2 ? Factored(keep, o.Epsilon, shape, g, a, b) : Whole(keep, o.Epsilon, g, a);
            double[] u = [.. g.Select((value, i) => value / Math.Sqrt(v[i]))];
            double clip = Math.Max(1, Norm(u) / Math.Sqrt(u.Length));
            for (int i = 0; i < p.Length; i++)
                p[i] -= lr * ((scale * u[i] / clip) + (wd * p[i]));
        }

        void Muon(int t, double[] p, double[] g, double wd)
        {
            for (int i = 0; i < p.Length; i++)
                a[i] = (o.Momentum * a[i]) + g[i];
            double[] u = [.. g.Select((value, i) => o.Nesterov ? value + (o.Momentum * a[i]) : a[i])];
            int parts = parameter.Contains("c_attn", StringComparison.Ordinal) ? 3 : 1, rows = shape[0] / parts,
                columns = shape[1];
            for (int part = 0; part < parts; part++)
            {
                double[] orthogonal = NewtonSchulz(u[(part * rows * columns)..((part + 1) * rows * columns)],
                    rows, columns);
                for (int i = 0; i < orthogonal.Length; i++)
                    p[(part * rows * columns) + i] -= lr
                        * ((0.2 * Math.Sqrt(Math.Max(rows, columns)) * orthogonal[i])
                            + (wd * p[(part * rows * columns) + i]));
            }
        }
    }

    static double Norm(double[] x) => Math.Sqrt(x.Sum(value => value * value));

    /// <summary>The second moment of a vector.</summary>
    static double[] Whole(double keep, double epsilon, double[] g, double[] v)
    {
        for (int i = 0; i < g.Length; i++)
            v[i] = (keep * v[i]) + ((1 - keep) * ((g[i] * g[i]) + epsilon));
        return v;
    }

    /// <summary>
    /// Shazeer and Stern, algorithm 4: sums over rows and columns, as the paper has them, and the
    /// matrix that they stand for.
    /// </summary>
    static double[] Factored(double keep, double epsilon, Shape shape, double[] g, double[] rows, double[] columns)
    {
        int m = shape[0], n = shape[1];
        for (int r = 0; r < m; r++)
            rows[r] = (keep * rows[r])
                + ((1 - keep) * Enumerable.Range(0, n).Sum(c => (g[(r * n) + c] * g[(r * n) + c]) + epsilon));
        for (int c = 0; c < n; c++)
            columns[c] = (keep * columns[c])
                + ((1 - keep) * Enumerable.Range(0, m).Sum(r => (g[(r * n) + c] * g[(r * n) + c]) + epsilon));
        double all = rows[..m].Sum();
        return [.. g.Select((_, i) => rows[i / n] * columns[i % n] / all)];
    }

    /// <summary>Jordan et al.'s zeropower_via_newtonschulz5, in double: always with the wide matrix.</summary>
    static double[] NewtonSchulz(double[] g, int m, int n)
    {
        if (m > n)
            return Transpose(NewtonSchulz(Transpose(g, m, n), n, m), n, m);
        double norm = Norm(g) + 1e-7;
        double[] x = [.. g.Select(value => value / norm)];
        for (int step = 0; step < 5; step++)
        {
            double[] a = Product(x, Transpose(x, m, n), m, n, m), aa = Product(a, a, m, m, m);
            double[] b = [.. a.Select((value, i) => (-4.7750 * value) + (2.0315 * aa[i]))], bx = Product(b, x, m, m, n);
            x = [.. x.Select((value, i) => (3.4445 * value) + bx[i])];
        }
        return x;
    }

    static double[] Transpose(double[] x, int m, int n) =>
        [.. Enumerable.Range(0, m * n).Select(i => x[(i % m * n) + (i / m)])];

    static double[] Product(double[] a, double[] b, int m, int k, int n) =>
        [.. Enumerable.Range(0, m * n)
            .Select(i => Enumerable.Range(0, k).Sum(j => a[(i / n * k) + j] * b[(j * n) + (i % n)]))];

    /// <summary>A rule that treats each element alone: (t, index, value, gradient, decay) to the new value.</summary>
    static Rule Each(Func<int, int, double, double, double, double> rule) => (t, p, g, wd) =>
    {
        for (int i = 0; i < p.Length; i++)
            p[i] = rule(t, i, p[i], g[i], wd);
    };

    static double AdamDirection(OptimizerOptions o, int t, int i, double g, double[] m, double[] v)
    {
        m[i] = (o.Beta1 * m[i]) + ((1 - o.Beta1) * g);
        v[i] = (o.Beta2 * v[i]) + ((1 - o.Beta2) * g * g);
        return m[i] / (1 - Math.Pow(o.Beta1, t)) / (Math.Sqrt(v[i] / (1 - Math.Pow(o.Beta2, t))) + o.Epsilon);
    }
}

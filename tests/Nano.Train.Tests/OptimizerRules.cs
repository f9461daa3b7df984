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
            "adamw" => Each((t, i, p, g, wd) => p - (lr * (AdamDirection(o, t, i, g, a, b) + (wd * p)))),
            "lion" => Each((t, i, p, g, wd) =>
            {
                double c = (o.Beta1 * a[i]) + ((1 - o.Beta1) * g);
                a[i] = (o.Beta2 * a[i]) + ((1 - o.Beta2) * g);
                return p - (lr * (Math.Sign(c) + (wd * p)));
            }),
            _ => throw new ArgumentException(o.Name),
        };
    }

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

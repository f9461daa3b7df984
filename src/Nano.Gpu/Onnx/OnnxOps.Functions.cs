namespace Nano;

internal sealed partial class OnnxOps
{
    private const float RootTwoOverPi = 0.7978845608028654f, Cubic = 0.044715f, RootHalf = 0.7071067811865476f,
        OneOverRootTwoPi = 0.3989422804014327f, QuickFactor = 1.702f;

    /// <summary>A function of one variable; p is its parameter.</summary>
    private string Activated(ActivationKind kind, float p, string x) => kind switch
    {
        ActivationKind.Relu => Node("Relu", x),
        ActivationKind.Sigmoid => Node("Sigmoid", x),
        ActivationKind.Tanh => Node("Tanh", x),
        ActivationKind.Silu => Node("Mul", x, Node("Sigmoid", x)),
        ActivationKind.GeluTanh => Node("Mul", Times(x, 0.5f), Plus(Node("Tanh", TanhArgument(x)), 1)),
        ActivationKind.GeluErf => Node("Mul", Times(x, 0.5f), Plus(Node("Erf", Times(x, RootHalf)), 1)),
        ActivationKind.QuickGelu => Node("Mul", x, Node("Sigmoid", Times(x, QuickFactor))),
        ActivationKind.Mish => Node("Mul", x, Node("Tanh", Node("Softplus", x))),
        ActivationKind.Softplus => Node("Softplus", x),
        ActivationKind.ReluSquared => Squared(Node("Relu", x)),
        ActivationKind.LeakyRelu => Node("Where", IsPositive(x), x, Times(x, p)),
        ActivationKind.Elu => Node("Where", IsPositive(x), x, Times(Plus(ExpBelowZero(x), -1), p)),
        ActivationKind.EluPlusOne => Node("Where", IsPositive(x), Plus(x, 1), ExpBelowZero(x)),
        ActivationKind.SoftCap => Times(Node("Tanh", Times(x, 1 / p)), p),
        ActivationKind.Huber => Node("Where", Node("Greater", Node("Abs", x), graph.Constant(p)),
            Times(Plus(Node("Abs", x), -0.5f * p), p), Times(Squared(x), 0.5f)),
        ActivationKind.Exp => Node("Exp", x),
        ActivationKind.Log => Node("Log", x),
        ActivationKind.Sqrt => Node("Sqrt", x),
        ActivationKind.Abs => Node("Abs", x),
        _ => Squared(x),
    };

    /// <summary>The derivative of a function of one variable at its input.</summary>
    private string Derivative(ActivationKind kind, float p, string x, string y) => kind switch
    {
        ActivationKind.Relu => graph.Cast(IsPositive(x), OnnxType.Float32),
        ActivationKind.Sigmoid => Node("Mul", y, OneLess(y)),
        ActivationKind.Tanh => OneLess(Squared(y)),
        ActivationKind.Silu => SigmoidGate(x, x),
        ActivationKind.GeluTanh => GeluTanhDerivative(x),
        ActivationKind.GeluErf => // P(x) + x p(x) of the normal distribution
            Node("Add", Times(Plus(Node("Erf", Times(x, RootHalf)), 1), 0.5f),
                Node("Mul", x, Times(Node("Exp", Times(Squared(x), -0.5f)), OneOverRootTwoPi))),
        ActivationKind.QuickGelu => SigmoidGate(Times(x, QuickFactor), Times(x, QuickFactor)),
        ActivationKind.Mish => MishDerivative(x),
        ActivationKind.Softplus => Node("Sigmoid", x),
        ActivationKind.ReluSquared => Times(Node("Relu", x), 2),
        ActivationKind.LeakyRelu => Node("Where", IsPositive(x), graph.Constant(1), graph.Constant(p)),
        ActivationKind.Elu => Node("Where", IsPositive(x), graph.Constant(1), Times(ExpBelowZero(x), p)),
        ActivationKind.EluPlusOne => Node("Where", IsPositive(x), graph.Constant(1), ExpBelowZero(x)),
        ActivationKind.SoftCap => OneLess(Squared(Times(y, 1 / p))),
        ActivationKind.Huber => Node("Min", Node("Max", x, graph.Constant(-p)), graph.Constant(p)),
        ActivationKind.Exp => y,
        ActivationKind.Log => Node("Reciprocal", x),
        ActivationKind.Sqrt => Times(Node("Reciprocal", y), 0.5f),
        ActivationKind.Abs => Node("Where", IsPositive(x), graph.Constant(1), // WebGPU has no Sign
            Node("Where", Node("Less", x, graph.Constant(0)), graph.Constant(-1), graph.Constant(0))),
        _ => Times(x, 2),
    };

    /// <summary>s + u s (1 - s), s the sigmoid of x.</summary>
    private string SigmoidGate(string x, string u)
    {
        string s = Node("Sigmoid", x);
        return Node("Mul", s, Plus(Node("Mul", u, OneLess(s)), 1));
    }

    /// <summary>(1 + t) / 2 + x (1 - t^2) u' / 2, with u' = sqrt(2/pi) (1 + 3 c x^2).</summary>
    private string GeluTanhDerivative(string x)
    {
        string t = Node("Tanh", TanhArgument(x)),
            slope = Times(Plus(Times(Squared(x), 3 * Cubic), 1), RootTwoOverPi);
        return Node("Add", Times(Plus(t, 1), 0.5f),
            Times(Node("Mul", Node("Mul", x, OneLess(Squared(t))), slope), 0.5f));
    }

    /// <summary>t + x (1 - t^2) s, t the tanh of the softplus of x, s its sigmoid.</summary>
    private string MishDerivative(string x)
    {
        string t = Node("Tanh", Node("Softplus", x));
        return Node("Add", t, Node("Mul", Node("Mul", x, OneLess(Squared(t))), Node("Sigmoid", x)));
    }

    /// <summary>sqrt(2/pi) (x + c x^3).</summary>
    private string TanhArgument(string x) =>
        Times(Node("Mul", x, Plus(Times(Squared(x), Cubic), 1)), RootTwoOverPi);

    /// <summary>e^min(x, 0), which cannot overflow where it is not chosen.</summary>
    private string ExpBelowZero(string x) => Node("Exp", Node("Min", x, graph.Constant(0)));

    private string IsPositive(string x) => Node("Greater", x, graph.Constant(0));

    private string Squared(string x) => Node("Mul", x, x);

    private string OneLess(string x) => Node("Sub", graph.Constant(1), x);

    private void Backward(GatedOp op, string dy)
    {
        string gate = Value(op.Gate), value = Activated(op.Kind, 0, gate);
        AddGradient(op.Up, Node("Mul", dy, value));
        AddGradient(op.Gate, Node("Mul", Node("Mul", dy, Value(op.Up)), Derivative(op.Kind, 0, gate, value)));
    }

    private string Forward(ScaleOp op)
    {
        string scaled = Node("Mul", Value(op.X), graph.Constant(op.Factor));
        return op.Term == 0 ? scaled : Plus(scaled, op.Term);
    }
}

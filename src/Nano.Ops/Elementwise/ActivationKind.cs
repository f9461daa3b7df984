namespace Nano;

/// <summary>
/// The functions of one variable. Each is one struct: the function beside its derivative. Some have
/// a parameter.
/// </summary>
public enum ActivationKind
{
    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>1 / (1 + e^-x).</summary>
    Sigmoid,

    /// <summary>The hyperbolic tangent.</summary>
    Tanh,

    /// <summary>x sigmoid(x).</summary>
    Silu,

    /// <summary>GELU by its approximation with tanh, as GPT-2 has it.</summary>
    GeluTanh,

    /// <summary>GELU itself, x times the normal distribution function of x.</summary>
    GeluErf,

    /// <summary>GELU as x sigmoid(1.702 x), as CLIP has it.</summary>
    QuickGelu,

    /// <summary>x tanh(softplus(x)).</summary>
    Mish,

    /// <summary>log(1 + e^x).</summary>
    Softplus,

    /// <summary>max(x, 0)^2.</summary>
    ReluSquared,

    /// <summary>x above 0, x times the parameter below.</summary>
    LeakyRelu,

    /// <summary>x above 0, e^x - 1 times the parameter below.</summary>
    Elu,

    /// <summary>x + 1 above 0, e^x below: positive everywhere.</summary>
    EluPlusOne,

    /// <summary>c tanh(x / c), which stays within c, the parameter.</summary>
    SoftCap,

    /// <summary>x^2 / 2 up to |x| = the parameter, linear beyond.</summary>
    Huber,

    /// <summary>e^x.</summary>
    Exp,

    /// <summary>The natural logarithm.</summary>
    Log,

    /// <summary>The square root.</summary>
    Sqrt,

    /// <summary>The magnitude.</summary>
    Abs,

    /// <summary>x^2.</summary>
    Square,
}

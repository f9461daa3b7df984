namespace Nano;

/// <summary>The two forms of the Gaussian error linear unit (Hendrycks and Gimpel, arXiv 1606.08415).</summary>
public enum GeluForm
{
    /// <summary>
    /// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))): GPT-2's approximation, "gelu_new" in
    /// Hugging Face configs.
    /// </summary>
    Tanh,

    /// <summary>0.5 x (1 + erf(x / sqrt(2))): the exact form, "gelu" in Hugging Face configs.</summary>
    Erf,
}

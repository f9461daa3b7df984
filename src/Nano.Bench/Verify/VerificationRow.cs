namespace Nano;

/// <summary>One tensor compared with its golden values.</summary>
/// <param name="Name">The name of the tensor.</param>
/// <param name="Error">The largest absolute difference; infinite where a value is not a finite number.</param>
/// <param name="Scale">The largest absolute golden value.</param>
/// <param name="ReferenceError">The error that float32 PyTorch makes.</param>
/// <param name="Pass">Whether the error is within what the verifier allows.</param>
public sealed record VerificationRow(string Name, double Error, double Scale, double ReferenceError, bool Pass);

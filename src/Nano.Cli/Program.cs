using System.Runtime.CompilerServices;

namespace Nano.Cli;

/// <summary>The beginning of the program, which needs nothing but the runtime itself.</summary>
internal static class Program
{
    public static int Main(string[] args) => OpenFileLimit.IsEnough() ? Run(args) : 1;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(string[] args) => Application.Run(args);
}

namespace Nano.Fuzz;

/// <summary>A valid file, and what reads it whole.</summary>
/// <param name="Name">Its name, which may decide how it is read.</param>
/// <param name="Bytes">Its content.</param>
/// <param name="Read">Reads the file at a path and everything in it. The folder holds all other
/// files of its <see cref="Set"/>.</param>
/// <param name="Set">Files with the same set lie in one folder.</param>
sealed record FuzzSeed(string Name, byte[] Bytes, Action<string> Read, string Set);

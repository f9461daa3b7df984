Console.WriteLine("nano");
